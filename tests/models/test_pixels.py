"""Pixels to the range of networks and back, and latents to the units of a denoiser and back."""

import torch

from models.latent_scale import LatentScale
from models.pixels import signed, to_pixels, to_video

EVERY = torch.arange(256, dtype=torch.uint8)


def test_every_level_comes_back() -> None:
    pixels = EVERY.repeat(3).view(1, 2, 16, 8, 3)
    video = to_video(pixels)
    assert video.shape == (1, 3, 2, 16, 8)
    assert (video.min(), video.max(), video.dtype) == (-1, 1, torch.float32)
    assert torch.equal(to_pixels(video), pixels)
    assert torch.equal(to_video(pixels[0]), video[0])


def test_halves_go_to_the_even_level_and_what_is_outside_to_the_ends() -> None:
    between = torch.tensor([-3.0, -1.0, 0.0, 1.0, 7.0]).view(1, 1, 1, -1).expand(3, 1, 1, -1)
    assert to_pixels(between)[0, 0, :, 0].tolist() == [0, 0, 128, 255, 255]


def test_the_range_is_the_same_to_the_last_bit_however_it_is_written() -> None:
    """127.5 is half of 255, so that the division rounds alike."""
    assert torch.equal(signed(EVERY), EVERY.float() / 255 * 2 - 1)


def test_latents_go_to_the_units_of_the_denoiser_and_back() -> None:
    scale = LatentScale.of((1.0, -2.0), (0.5, 4.0))
    latent = torch.stack([torch.full((3, 2, 2), 1.0), torch.full((3, 2, 2), -1.5)])
    assert scale.channels == 2
    assert scale.normalised(latent)[:, 0, 0, 0].tolist() == [0.0, 2.0]
    assert torch.equal(scale.restored(scale.normalised(latent[None])), latent[None])
