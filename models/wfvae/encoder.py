"""The encoder: a convolutional trunk with the wavelet energy flow beside it (arXiv 2411.17459)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.wfvae.blocks import CausalSequence, FrameResidualBlock, Middle, ResidualBlock
from models.wfvae.cache import CausalCache
from models.wfvae.config import WFVAEConfig
from models.wfvae.convolutions import CausalConv3d, FrameConv2d
from models.wfvae.normalization import activated, normalization
from models.wfvae.resampling import CausalDownsample, FrameDownsample
from models.wfvae.wavelets import HaarAnalysis


class Coefficients(NamedTuple):
    """Wavelet coefficients of the energy flow, for a video of 4n+1 frames of H×W."""

    level2: Tensor
    """[B, 12, 2n+1, H/4, W/4], sub-bands over height and width."""
    level3: Tensor
    """[B, 24, n+1, H/8, W/8], sub-bands over time, height and width."""


class FrameLevel(nn.Module):
    """The first level: all of it sees one frame of coefficients at a time."""

    def __init__(self, config: WFVAEConfig) -> None:
        super().__init__()
        width = config.base_channels
        self.conv = FrameConv2d(24, width, 3, padding=1)
        self.blocks = nn.Sequential(*(FrameResidualBlock(width, config.norm) for _ in range(config.encoder_blocks)))
        self.downsample = FrameDownsample(width)

    def forward(self, x: Tensor) -> Tensor:
        return self.downsample(self.blocks(self.conv(x)))


class CausalLevel(nn.Module):
    """The second level, which also halves the frames."""

    def __init__(self, config: WFVAEConfig) -> None:
        super().__init__()
        width = 2 * config.base_channels
        self.conv = FrameConv2d(config.base_channels + config.encoder_flow_channels, width, 3, padding=1)
        self.blocks = CausalSequence(ResidualBlock(width, width, config.norm) for _ in range(config.encoder_blocks))
        self.downsample = CausalDownsample(width)

    def forward(self, x: Tensor, cache: CausalCache | None = None) -> Tensor:
        return self.downsample(self.blocks(self.conv(x), cache), cache)


class Encoder(nn.Module):
    """Video [B, 3, 4n+1, H, W] → posterior parameters [B, 2·latent_channels, n+1, H/8, W/8] and coefficients."""

    def __init__(self, config: WFVAEConfig) -> None:
        super().__init__()
        width, flow = config.base_channels, config.encoder_flow_channels
        self.wavelet1, self.wavelet2, self.wavelet3 = (
            HaarAnalysis("thw"),
            HaarAnalysis("hw"),
            HaarAnalysis("thw"),
        )
        self.level1 = FrameLevel(config)
        self.flow2 = FrameConv2d(12, flow, 3, padding=1)
        self.level2 = CausalLevel(config)
        self.flow3 = FrameConv2d(24, flow, 3, padding=1)
        self.middle = Middle(2 * width + flow, 4 * width, 4 * width, config.norm, config.attention)
        self.norm_out = normalization(config.norm, 4 * width)
        self.conv_out = CausalConv3d(4 * width, 2 * config.latent_channels, 3, padding=1)

    def forward(self, video: Tensor, cache: CausalCache | None = None) -> tuple[Tensor, Coefficients]:
        wavelets1 = self.wavelet1(video, cache)
        wavelets2 = self.wavelet2(wavelets1[:, :3])
        wavelets3 = self.wavelet3(wavelets2[:, :3], cache)
        h = self.level1(wavelets1)
        h = self.level2(torch.cat([h, self.flow2(wavelets2)], dim=1), cache)
        h = self.middle(torch.cat([h, self.flow3(wavelets3)], dim=1), cache)
        h = self.conv_out(activated(self.norm_out(h)), cache)
        return h, Coefficients(wavelets2, wavelets3)
