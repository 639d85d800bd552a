"""The CausalVideoVAE of Open-Sora Plan v1.1."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from models.causal_vae.config import CausalVAEConfig
from models.causal_vae.decoder import Decoder
from models.causal_vae.encoder import Encoder
from models.causal_vae.resampling import FINAL_MIX_FACTOR, reset_mix_factors
from models.causal_vae.tiling import OVERLAP_PARTS, WINDOW_FRAMES, WINDOW_LATENTS, over_tiles, over_windows
from models.geometry import SPATIAL, TEMPORAL
from models.wfvae.convolutions import PointwiseConv3d
from models.wfvae.inputs import check_latent, check_video
from models.wfvae.posterior import Posterior


class CausalVideoVAE(nn.Module):
    """Video [B, 3, 4n+1, H, W], values in [-1, 1], to and from latents [B, latent_channels, n+1, H/8, W/8].

    Latents are as the posterior gives them, unscaled. Its convolutions are causal, so an image is a video of one frame;
    its group normalisation averages over all frames of a clip.
    """

    def __init__(self, config: CausalVAEConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.quant_conv = PointwiseConv3d(2 * config.latent_channels, 2 * config.latent_channels)
        self.post_quant_conv = PointwiseConv3d(config.latent_channels, config.latent_channels)
        self.decoder = Decoder(config)

    def encode(self, video: Tensor, chunk_frames: int | None = None, tile_pixels: int | None = None) -> Posterior:
        """The posterior of a video.

        Both limits bound memory and change the result a little (`models.causal_vae.tiling`):

        Args:
            video: [B, 3, 4n+1, H, W] in [-1, 1], sides multiples of 8.
            chunk_frames: encode in windows of one frame more than this, a multiple of 4. By default inference has the
                released ones, 64, and where gradients are wanted all frames are one.
            tile_pixels: encode in tiles of this side, a multiple of 32; released: 256.

        Raises:
            ValueError: an argument of another shape or value; the message names it.
        """
        check_video(video)
        _check_multiple("chunk_frames", chunk_frames, TEMPORAL)
        _check_multiple("tile_pixels", tile_pixels, SPATIAL * OVERLAP_PARTS)

        def encoded(window: Tensor) -> Tensor:
            return over_tiles(lambda tile: self.quant_conv(self.encoder(tile)), window, tile_pixels, 1 / SPATIAL)

        stride = chunk_frames or _released(WINDOW_FRAMES)
        return Posterior(torch.cat(list(over_windows(encoded, video, stride)), dim=2))

    def decode(self, latent: Tensor, chunk_latents: int | None = None, tile_pixels: int | None = None) -> Tensor:
        """The video [B, 3, 4n+1, H, W] of a latent, near [-1, 1] but not clamped.

        Args:
            latent: [B, latent_channels, n+1, H/8, W/8].
            chunk_latents: decode in windows of one latent frame more than this. By default inference has the released
                ones, 16, and where gradients are wanted all latents are one.
            tile_pixels: decode in tiles that become this side, a multiple of 32; released: 256.

        Raises:
            ValueError: an argument of another shape or value; the message names it.
        """
        return torch.cat(list(self.decode_stream(latent, chunk_latents, tile_pixels)), dim=2)

    def decode_stream(
        self, latent: Tensor, chunk_latents: int | None = None, tile_pixels: int | None = None
    ) -> Iterator[Tensor]:
        """The video of a latent window by window along time, so that memory does not grow with its length."""
        check_latent(latent, self.config.latent_channels)
        _check_multiple("chunk_latents", chunk_latents, 1)
        _check_multiple("tile_pixels", tile_pixels, SPATIAL * OVERLAP_PARTS)
        side = None if tile_pixels is None else tile_pixels // SPATIAL

        def decoded(window: Tensor) -> Tensor:
            return over_tiles(lambda tile: self.decoder(self.post_quant_conv(tile)), window, side, SPATIAL)

        return over_windows(decoded, latent, chunk_latents or _released(WINDOW_LATENTS))

    def forward(self, video: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Posterior]:
        """A reconstruction from a sample of the posterior, and the posterior."""
        posterior = self.encode(video)
        return self.decode(posterior.sample(generator)), posterior

    def reset_mix_factors(self, value: float = FINAL_MIX_FACTOR) -> None:
        """Set the mix factor of every temporal resampling, as the last training stage does at its start.

        sigmoid(`value`) is the share of the fixed rule beside the learned one: 0.8808 at first (2.0), 0.6225 for 0.5.
        """
        reset_mix_factors(self, value)


def _released(stride: int) -> int | None:
    return None if torch.is_grad_enabled() else stride


def _check_multiple(name: str, value: int | None, multiple: int) -> None:
    if value is not None and (value < 1 or value % multiple):
        raise ValueError(f"{name} is {value}, but must be a positive multiple of {multiple}, or None")
