"""The decoder: from latents, wavelet coefficients level by level, and from those the video (arXiv 2411.17459)."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from models.wfvae.blocks import CausalSequence, Middle, ResidualBlock
from models.wfvae.cache import CausalCache
from models.wfvae.config import WFVAEConfig
from models.wfvae.convolutions import CausalConv3d, FrameConv2d
from models.wfvae.encoder import Coefficients
from models.wfvae.normalization import activated, normalization
from models.wfvae.resampling import CausalUpsample, FrameUpsample
from models.wfvae.wavelets import HaarSynthesis

FINEST_FRAMES = 2


class CoefficientHead(nn.Module):
    """The energy flow's channels to wavelet coefficients."""

    def __init__(self, config: WFVAEConfig, coefficients: int) -> None:
        super().__init__()
        width = config.decoder_flow_channels
        self.blocks = CausalSequence(ResidualBlock(width, width, config.norm) for _ in range(config.flow_blocks))
        self.conv = FrameConv2d(width, coefficients, 3, padding=1)

    def forward(self, x: Tensor, cache: CausalCache | None = None) -> Tensor:
        return self.conv(self.blocks(x, cache))


class CausalUpLevel(nn.Module):
    """The level that doubles the frames; it hands `flow` more channels on, for the next coefficient head."""

    def __init__(self, config: WFVAEConfig) -> None:
        super().__init__()
        width, flow, norm = 4 * config.base_channels, config.decoder_flow_channels, config.norm
        self.blocks = CausalSequence(ResidualBlock(width, width, norm) for _ in range(config.decoder_blocks))
        self.upsample = CausalUpsample(width, config.temporal_upsampling)
        self.last = ResidualBlock(width, width + flow, norm)

    def forward(self, x: Tensor, cache: CausalCache | None = None) -> Tensor:
        return self.last(self.upsample(self.blocks(x, cache), cache), cache)


class FrameUpLevel(nn.Module):
    """The level that doubles only the sides."""

    def __init__(self, config: WFVAEConfig) -> None:
        super().__init__()
        width, norm = 2 * config.base_channels, config.norm
        widths = [2 * width] + [width] * config.decoder_blocks
        self.blocks = CausalSequence(ResidualBlock(a, b, norm) for a, b in pairwise(widths))
        self.upsample = FrameUpsample(width)
        self.last = ResidualBlock(width, width, norm)

    def forward(self, x: Tensor, cache: CausalCache | None = None) -> Tensor:
        return self.last(self.upsample(self.blocks(x, cache)), cache)


class Decoder(nn.Module):
    """Latents [B, latent_channels, n+1, H/8, W/8] → video [B, 3, 4n+1, H, W] and coefficients.

    In a chunked call with trilinear upsampling, a chunk yields the frames that are settled by then; the last chunk
    yields the rest.
    """

    def __init__(self, config: WFVAEConfig) -> None:
        super().__init__()
        width, flow, norm = config.base_channels, config.decoder_flow_channels, config.norm
        self.flow_channels = flow
        self.conv_in = CausalConv3d(config.latent_channels, 4 * width, 3, padding=1)
        self.middle = Middle(4 * width, 4 * width, 4 * width + flow, norm, config.attention)
        self.flow3 = CoefficientHead(config, 24)
        self.level2 = CausalUpLevel(config)
        self.flow2 = CoefficientHead(config, 12)
        self.level1 = FrameUpLevel(config)
        self.tail = CausalSequence([ResidualBlock(2 * width, width, norm), ResidualBlock(width, width, norm)])
        self.norm_out = normalization(norm, width)
        self.conv_out = FrameConv2d(width, 24, 3, padding=1)
        self.wavelet3, self.wavelet2, self.wavelet1 = (
            HaarSynthesis("thw"),
            HaarSynthesis("hw"),
            HaarSynthesis("thw"),
        )

    def forward(self, latent: Tensor, cache: CausalCache | None = None) -> tuple[Tensor, Coefficients]:
        h, flow = self._split(self.middle(self.conv_in(latent, cache), cache))
        wavelets3 = self.flow3(flow, cache)
        low = self.wavelet3(wavelets3, cache)
        h, flow = self._split(self.level2(h, cache))
        wavelets2 = _add_low(self.flow2(flow, cache), self._aligned(low, flow.shape[2], cache))
        # With a cache, the finest level can hold the activations of fewer frames still than the chunk has.
        parts = [h] if cache is None else h.split(FINEST_FRAMES, dim=2)
        details = torch.cat([self._details(part, cache) for part in parts], dim=2)
        wavelets1 = _add_low(details, self.wavelet2(wavelets2))
        return self.wavelet1(wavelets1, cache), Coefficients(wavelets2, wavelets3)

    def _details(self, x: Tensor, cache: CausalCache | None) -> Tensor:
        """The finest level's wavelet coefficients, its low-pass band less the coarser levels' share."""
        h = self.tail(self.level1(x, cache), cache)
        return self.conv_out(activated(self.norm_out(h)))

    def _split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The trunk's channels and, last on the axis, the energy flow's."""
        trunk, flow = x.split([x.shape[1] - self.flow_channels, self.flow_channels], dim=1)
        return trunk, flow

    def _aligned(self, low: Tensor, frames: int, cache: CausalCache | None) -> Tensor:
        """The next `frames` frames of the low-pass band, which runs ahead of a trunk that holds a frame back."""
        if cache is None:
            return low
        waiting = cache.recall(self)
        if waiting is not None:
            low = torch.cat([waiting, low], dim=2)
        cache.keep(self, low[:, :, frames:])
        return low[:, :, :frames]


def _add_low(coefficients: Tensor, low: Tensor) -> Tensor:
    """The coefficients with the coarser level's reconstruction added to their low-pass sub-band, channels 0 to 2."""
    return torch.cat([coefficients[:, :3] + low, coefficients[:, 3:]], dim=1)
