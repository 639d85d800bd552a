"""Chunked calls equal direct ones, for every length and chunk size, and need no more memory for longer videos."""

import gc
import weakref

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from models.wfvae import WFVAE
from models.wfvae.posterior import Posterior

TOLERANCE = 2e-5


def video(frames: int, batch: int = 1, seed: int = 0) -> torch.Tensor:
    return torch.rand(batch, 3, frames, 8, 16, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def close(actual: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=0, atol=TOLERANCE)


def assert_chunks_equal(vae: WFVAE, x: torch.Tensor, latents: int) -> None:
    parameters, coefficients = vae.encoder(x)
    direct = Posterior(parameters)
    chunked, chunked_coefficients = vae.encode(x, chunk_frames=4 * latents, return_coefficients=True)
    close(chunked.mean, direct.mean)
    close(chunked.log_variance, direct.log_variance)
    restored, restored_coefficients = vae.decoder(direct.mode())
    piecewise, piecewise_coefficients = vae.decode(direct.mode(), chunk_latents=latents, return_coefficients=True)
    close(piecewise, restored)
    for a, b in zip(chunked_coefficients + piecewise_coefficients, coefficients + restored_coefficients, strict=True):
        close(a, b)


@pytest.mark.parametrize("mode", ["trilinear", "nearest"])
@pytest.mark.parametrize("attention", [True, False])
@torch.inference_mode()
def test_every_length_and_chunk(tiny_vae, mode, attention):
    vae = tiny_vae(temporal_upsampling=mode, attention=attention)
    for n in range(8):
        for latents in range(1, n + 2):
            assert_chunks_equal(vae, video(1 + 4 * n, batch=2), latents)


@pytest.mark.parametrize("mode", ["trilinear", "nearest"])
@torch.inference_mode()
def test_long_videos(tiny_vae, mode):
    vae = tiny_vae(temporal_upsampling=mode)
    for frames, latents in ((53, 4), (101, 4), (101, 7), (129, 1), (129, 8), (129, 33), (129, 50)):
        assert_chunks_equal(vae, video(frames), latents)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["trilinear", "nearest"])
@pytest.mark.parametrize("attention", [True, False])
@torch.inference_mode()
def test_every_length_to_129_and_every_chunk(tiny_vae, mode, attention):
    vae = tiny_vae(temporal_upsampling=mode, attention=attention)
    for n in range(33):
        for latents in range(1, n + 2):
            assert_chunks_equal(vae, video(1 + 4 * n), latents)


@torch.inference_mode()
def test_two_videos_at_once(tiny_vae):
    vae = tiny_vae()
    latents = [vae.encode(video(17, seed=seed)).mode() for seed in (1, 2)]
    streams = [vae.decode_stream(latent, chunk_latents=2) for latent in latents]
    pieces = list(zip(*streams, strict=True))
    assert len(pieces) == 3
    for latent, parts in zip(latents, zip(*pieces, strict=True), strict=True):
        close(torch.cat(parts, dim=2), vae.decoder(latent)[0])


def test_without_a_chunk_inference_takes_its_own(tiny_vae):
    vae, x = tiny_vae(), video(33)
    latent = torch.zeros(1, 4, 9, 1, 2)
    with torch.no_grad():
        posterior = vae.encode(x)
        close(posterior.mean, Posterior(vae.encoder(x)[0]).mean)
        close(vae.decode(posterior.mode()), vae.decoder(posterior.mode())[0])
        assert len(list(vae.decode_stream(latent))) > 1
    assert len(list(vae.decode_stream(latent))) == 1  # gradients need all of it


@pytest.mark.costly
@torch.no_grad()
def test_compiled_without_graph_breaks(tiny_vae):
    vae, x = tiny_vae(), video(13)
    compiled = torch.compile(lambda x: vae.decode(vae.encode(x).mode()), fullgraph=True, backend="eager")
    in_chunks = torch.compile(
        lambda x: vae.decode(vae.encode(x, chunk_frames=8).mode(), chunk_latents=2), fullgraph=True, backend="eager"
    )
    expected, _ = vae.decoder(Posterior(vae.encoder(x)[0]).mode())
    close(compiled(x), expected)
    close(in_chunks(x), expected)


class PeakMemory(TorchDispatchMode):
    """The largest number of bytes that tensors made inside it held at one time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self.seen: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, list | tuple) else [result]:
            if isinstance(tensor, torch.Tensor) and tensor.untyped_storage() not in self.seen:
                self._add(tensor.untyped_storage())
        return result

    def _add(self, storage: torch.UntypedStorage) -> None:
        size = storage.nbytes()
        self.seen[storage] = size
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._free, size)

    def _free(self, size: int) -> None:
        self.now -= size


def peak(vae: WFVAE, frames: int) -> int:
    latent = torch.randn(1, 4, (frames + 3) // 4, 4, 4)
    gc.collect()
    with PeakMemory() as memory:
        for piece in vae.decode_stream(latent, chunk_latents=2):
            del piece
    return memory.peak


@pytest.mark.costly
@torch.inference_mode()
def test_memory_does_not_grow_with_frames(tiny_vae):
    vae = tiny_vae()
    peaks = [peak(vae, frames) for frames in (33, 65, 129)]
    assert min(peaks) > 0
    assert max(peaks) <= 1.01 * min(peaks)
    with PeakMemory() as direct:
        vae.decoder(torch.randn(1, 4, 33, 4, 4))
    assert direct.peak > 4 * max(peaks)


def test_group_normalisation_cannot_be_chunked(tiny_vae):
    vae = tiny_vae(norm="groupnorm", base_channels=32, encoder_flow_channels=32, decoder_flow_channels=32)
    with pytest.raises(ValueError, match=r"chunk_frames is 4.*group normalisation"):
        vae.encode(video(5), chunk_frames=4)
    with pytest.raises(ValueError, match=r"chunk_latents is 1.*group normalisation"):
        vae.decode(torch.zeros(1, 4, 2, 1, 2), chunk_latents=1)
