"""WF-VAE: a causal video autoencoder along a wavelet energy flow (arXiv 2411.17459)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Literal, overload

import torch
from torch import Tensor, nn

from models.geometry import TEMPORAL, latent_frames
from models.wfvae.cache import CausalCache
from models.wfvae.config import WFVAEConfig
from models.wfvae.decoder import Decoder
from models.wfvae.encoder import Coefficients, Encoder
from models.wfvae.inputs import check_latent, check_video
from models.wfvae.posterior import Posterior

LATENTS_AT_ONCE = 2
"""What inference takes where the caller names no chunk: more is not faster, and takes more memory."""


class WFVAE(nn.Module):
    """Video [B, 3, 4n+1, H, W], values in [-1, 1], to and from latents [B, latent_channels, n+1, H/8, W/8].

    Latents are as the posterior gives them, unscaled. Both directions are causal (with layer normalisation): latent t
    depends on no frame after 4t, so an image is a video of one frame.
    """

    def __init__(self, config: WFVAEConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)

    @overload
    def encode(
        self, video: Tensor, chunk_frames: int | None = None, return_coefficients: Literal[False] = False
    ) -> Posterior: ...

    @overload
    def encode(
        self, video: Tensor, chunk_frames: int | None = None, *, return_coefficients: Literal[True]
    ) -> tuple[Posterior, Coefficients]: ...

    def encode(
        self, video: Tensor, chunk_frames: int | None = None, return_coefficients: bool = False
    ) -> Posterior | tuple[Posterior, Coefficients]:
        """The posterior of a video, and with `return_coefficients` the wavelet coefficients of its energy flow.

        `chunk_frames`, a multiple of 4, bounds the frames in work at once; the result is the same. By default
        inference takes few, and what needs all takes all: gradients, and group normalisation.

        Raises:
            ValueError: for frames other than 1 + 4n, sides that 8 does not divide, other than 3 channels, or chunks
                under groupnorm.
        """
        parameters, coefficients = _joined(self._encode_chunks(video, chunk_frames))
        posterior = Posterior(parameters)
        return (posterior, coefficients) if return_coefficients else posterior

    @overload
    def decode(
        self, latent: Tensor, chunk_latents: int | None = None, return_coefficients: Literal[False] = False
    ) -> Tensor: ...

    @overload
    def decode(
        self, latent: Tensor, chunk_latents: int | None = None, *, return_coefficients: Literal[True]
    ) -> tuple[Tensor, Coefficients]: ...

    def decode(
        self, latent: Tensor, chunk_latents: int | None = None, return_coefficients: bool = False
    ) -> Tensor | tuple[Tensor, Coefficients]:
        """The video of a latent, near [-1, 1] but not clamped; with `return_coefficients` also those it was made from.

        `chunk_latents` bounds the latent frames in work at once; the result is the same. By default inference takes
        few, and what needs all takes all: gradients, and group normalisation.

        Raises:
            ValueError: for a wrong channel count or chunks under groupnorm.
        """
        if return_coefficients:
            return _joined(self._decode_chunks(latent, chunk_latents))
        return torch.cat(list(self.decode_stream(latent, chunk_latents)), dim=2)

    def decode_stream(self, latent: Tensor, chunk_latents: int | None = None) -> Iterator[Tensor]:
        """The video of a latent piece by piece along time, so that memory does not grow with its length."""
        for video, _ in self._decode_chunks(latent, chunk_latents):
            yield video

    def forward(self, video: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Posterior]:
        """A reconstruction from a sample of the posterior, and the posterior."""
        posterior = self.encode(video)
        return self.decode(posterior.sample(generator)), posterior

    def _encode_chunks(self, video: Tensor, chunk: int | None) -> Iterator[tuple[Tensor, Coefficients]]:
        check_video(video)
        frames = video.shape[2]
        if chunk is None and self._takes_all(latent_frames(frames)):
            yield self.encoder(video)
            return
        chunk = TEMPORAL * LATENTS_AT_ONCE if chunk is None else self._valid_chunk("chunk_frames", chunk, TEMPORAL)
        # The first latent stands for one frame, so the first chunk is short of the others by TEMPORAL - 1.
        edges = [0, *range(1 + chunk - TEMPORAL, frames, chunk), frames]
        cache = CausalCache()
        for start, end in pairwise(edges):
            cache.first, cache.last = start == 0, end == frames
            yield self.encoder(video[:, :, start:end], cache)

    def _decode_chunks(self, latent: Tensor, chunk: int | None) -> Iterator[tuple[Tensor, Coefficients]]:
        check_latent(latent, self.config.latent_channels)
        latents = latent.shape[2]
        if chunk is None and self._takes_all(latents):
            yield self.decoder(latent)
            return
        chunk = LATENTS_AT_ONCE if chunk is None else self._valid_chunk("chunk_latents", chunk, 1)
        cache = CausalCache()
        for start in range(0, latents, chunk):
            cache.first, cache.last = start == 0, start + chunk >= latents
            yield self.decoder(latent[:, :, start : start + chunk], cache)

    def _takes_all(self, latents: int) -> bool:
        """Whether a call that names no chunk is better, or only, done at once."""
        return latents <= LATENTS_AT_ONCE or torch.is_grad_enabled() or self.config.norm == "groupnorm"

    def _valid_chunk(self, name: str, chunk: int, multiple: int) -> int:
        if chunk < 1 or chunk % multiple:
            raise ValueError(f"{name} is {chunk}, but must be a positive multiple of {multiple}")
        if self.config.norm == "groupnorm":
            raise ValueError(
                f"{name} is {chunk}, but must be None: group normalisation averages over all frames, so this model "
                "cannot be run in chunks"
            )
        return chunk


def _joined(chunks: Iterator[tuple[Tensor, Coefficients]]) -> tuple[Tensor, Coefficients]:
    outputs, coefficients = zip(*chunks, strict=True)
    level2, level3 = (torch.cat(level, dim=2) for level in zip(*coefficients, strict=True))
    return torch.cat(outputs, dim=2), Coefficients(level2, level3)
