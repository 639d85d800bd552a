"""The encoder: two levels that see frames one by one, two causal ones (Open-Sora Plan v1.1)."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from models.causal_vae.blocks import NORM, FrameResidualBlock
from models.causal_vae.config import LEVELS, CausalVAEConfig
from models.causal_vae.resampling import TimeDownsample
from models.wfvae.blocks import Middle, ResidualBlock
from models.wfvae.convolutions import CausalConv3d, FrameConv2d
from models.wfvae.normalization import activated, normalization
from models.wfvae.resampling import FrameDownsample

FRAME_LEVELS = (0, 1)
SPATIAL_LEVELS = (0, 1, 2)
TIME_LEVELS = (1, 2)


class DownLevel(nn.Module):
    """Residual blocks, then half the sides, then half the frames, as the level's place has it."""

    def __init__(self, level: int, in_channels: int, channels: int, blocks: int) -> None:
        super().__init__()
        widths = pairwise([in_channels] + [channels] * blocks)
        if level in FRAME_LEVELS:
            self.blocks = nn.Sequential(*(FrameResidualBlock(a, b) for a, b in widths))
        else:
            self.blocks = nn.Sequential(*(ResidualBlock(a, b, NORM) for a, b in widths))
        self.downsample = FrameDownsample(channels) if level in SPATIAL_LEVELS else nn.Identity()
        self.time_downsample = TimeDownsample(channels) if level in TIME_LEVELS else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.time_downsample(self.downsample(self.blocks(x)))


class Encoder(nn.Module):
    """Video [B, 3, 4n+1, H, W] → [B, 2·latent_channels, n+1, H/8, W/8], which `quant_conv` makes the posterior's."""

    def __init__(self, config: CausalVAEConfig) -> None:
        super().__init__()
        widths = config.widths
        self.conv_in = FrameConv2d(3, widths[0], 3, padding=1)
        self.levels = nn.Sequential(
            *(DownLevel(i, widths[max(i - 1, 0)], widths[i], config.blocks) for i in range(LEVELS))
        )
        self.middle = Middle(widths[-1], widths[-1], widths[-1], NORM, attention=True)
        self.norm_out = normalization(NORM, widths[-1])
        self.conv_out = CausalConv3d(widths[-1], 2 * config.latent_channels, 3, padding=1)

    def forward(self, video: Tensor) -> Tensor:
        h = self.middle(self.levels(self.conv_in(video)))
        return self.conv_out(activated(self.norm_out(h)))
