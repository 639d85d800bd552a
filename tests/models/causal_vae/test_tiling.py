"""Temporal rollback and fading tiles: on maps whose right answer is known, and on the autoencoder."""

import json
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from models.causal_vae.tiling import (
    TILE_PIXELS,
    WINDOW_FRAMES,
    WINDOW_LATENTS,
    _faded,
    over_tiles,
    over_windows,
    windows,
)

ROLLBACK = json.loads((Path(__file__).parents[1] / "parity" / "rollback_windows.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("way", "stride", "made"), [("encode", WINDOW_FRAMES, 1 / 4), ("decode", WINDOW_LATENTS, 4)])
def test_released_windows(way, stride, made):
    """Every window makes 1 + (its frames - 1) · 4, or / 4, and all but the first drop one of these."""
    assert (WINDOW_FRAMES, WINDOW_LATENTS, TILE_PIXELS) == (64, 16, 256)
    for case in ROLLBACK[way]:
        found = windows(case["frames"], stride)
        assert found == [tuple(window) for window in case["windows"]]
        assert sum(1 + (end - start - 1) * made - (start > 0) for start, end in found) == case["kept"]


def test_tiles_fade_as_released():
    before, tile = torch.zeros(1, 1, 1, 1, 8), torch.ones(1, 1, 1, 1, 10)
    faded = _faded(before, tile, keep=0, dim=4)
    assert faded.flatten().tolist() == pytest.approx(ROLLBACK["fade_of_0_into_1_over_8"])


@torch.no_grad()
def test_inference_has_the_released_windows(tiny_vae, monkeypatch):
    """Smaller ones here: 8 frames and 2 latents."""
    monkeypatch.setattr("models.causal_vae.vae.WINDOW_FRAMES", 8)
    monkeypatch.setattr("models.causal_vae.vae.WINDOW_LATENTS", 2)
    vae, x = tiny_vae(), torch.rand(1, 3, 21, 8, 16)
    latent = vae.encode(x).mean
    assert torch.equal(latent, vae.encode(x, chunk_frames=8).mean)
    assert torch.equal(vae.decode(latent), vae.decode(latent, chunk_latents=2))
    with torch.enable_grad():
        assert not torch.allclose(vae.encode(x).mean, latent), "what learns sees all at once"


@pytest.mark.parametrize("frames", [1, 5, 9, 13, 17, 29])
@torch.no_grad()
def test_windows_of_the_autoencoder(tiny_vae, frames):
    vae, x = tiny_vae(), torch.rand(1, 3, frames, 8, 16)
    latent = vae.encode(x, chunk_frames=8).mean
    parts = [vae.encode(x[:, :, start : start + 9]).mean for start in range(0, max(frames - 1, 1), 8)]
    torch.testing.assert_close(latent, torch.cat([parts[0], *(part[:, :, 1:] for part in parts[1:])], dim=2))
    assert latent.shape[2] == frames // 4 + 1

    video = vae.decode(latent, chunk_latents=2)
    starts = range(0, max(latent.shape[2] - 1, 1), 2)
    parts = [vae.decode(latent[:, :, start : start + 3]) for start in starts]
    torch.testing.assert_close(video, torch.cat([parts[0], *(part[:, :, 1:] for part in parts[1:])], dim=2))
    assert video.shape == x.shape
    assert next(vae.decode_stream(latent, 2)).shape[2] == min(frames, 9)


@torch.no_grad()
def test_one_window_and_one_tile_are_the_whole(tiny_vae):
    vae, x = tiny_vae(), torch.rand(1, 3, 9, 24, 16)
    latent = vae.encode(x).mean
    assert torch.equal(vae.encode(x, chunk_frames=8, tile_pixels=32).mean, latent)
    assert torch.equal(vae.decode(latent, chunk_latents=2, tile_pixels=32), vae.decode(latent))


@pytest.mark.parametrize(("height", "width"), [(256, 256), (448, 264), (640, 200), (392, 704), (192, 384)])
def test_tiles_of_a_map_without_neighbourhood(height, width):
    x = torch.rand(1, 2, 1, height, width)
    pooled = over_tiles(lambda tile: F.avg_pool3d(tile, (1, 8, 8)), x, 256, 1 / 8)
    torch.testing.assert_close(pooled, F.avg_pool3d(x, (1, 8, 8)))
    latent = torch.rand(1, 2, 1, height // 8, width // 8)
    enlarged = over_tiles(lambda tile: F.interpolate(tile, scale_factor=(1, 8, 8)), latent, 32, 8)
    torch.testing.assert_close(enlarged, F.interpolate(latent, scale_factor=(1, 8, 8)))


def test_tiles_fade_linearly():
    """Each tile becomes its number; what two share goes from one number to the next in eighths."""
    numbers = iter(range(4))
    tiled = over_tiles(lambda tile: torch.full_like(tile, next(numbers)), torch.zeros(1, 1, 1, 48, 48), 32, 1)
    rise = torch.cat([torch.zeros(24), torch.arange(8) / 8, torch.ones(16)])
    torch.testing.assert_close(tiled[0, 0, 0], 2 * rise[:, None] + rise[None, :])


@torch.no_grad()
def test_tiled_autoencoder(tiny_vae):
    vae, x = tiny_vae(), torch.rand(1, 3, 5, 40, 56)
    latent = vae.encode(x, tile_pixels=32).mean
    assert latent.shape == (1, 4, 2, 5, 7)
    corner = vae.encode(x[:, :, :, :32, :32]).mean
    torch.testing.assert_close(latent[..., :3, :3], corner[..., :3, :3])
    video = vae.decode(latent, tile_pixels=32)
    assert video.shape == x.shape
    torch.testing.assert_close(video[..., :24, :24], vae.decode(latent[..., :4, :4])[..., :24, :24])


@pytest.mark.parametrize("chunk", [0, -4, 2, 6])
def test_window_refused(tiny_vae, chunk):
    with pytest.raises(ValueError, match=f"chunk_frames is {chunk}, but must be a positive multiple of 4, or None"):
        tiny_vae().encode(torch.zeros(1, 3, 9, 8, 8), chunk_frames=chunk)
    with pytest.raises(ValueError, match="chunk_latents is 0, but must be a positive multiple of 1"):
        tiny_vae().decode(torch.zeros(1, 4, 2, 2, 2), chunk_latents=0)


def test_tile_refused(tiny_vae):
    with pytest.raises(ValueError, match="tile_pixels is 200, but must be a positive multiple of 32"):
        tiny_vae().encode(torch.zeros(1, 3, 9, 8, 8), tile_pixels=200)
    with pytest.raises(ValueError, match="tile_pixels is 8, but must be a positive multiple of 32"):
        tiny_vae().decode(torch.zeros(1, 4, 2, 2, 2), tile_pixels=8)


def test_window_number_is_in_order():
    x = torch.arange(10.0).view(1, 1, 10, 1, 1)
    assert torch.equal(torch.cat(list(over_windows(lambda window: window, x, 3)), dim=2), x)
