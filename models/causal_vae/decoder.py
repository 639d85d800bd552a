"""The decoder, causal at every level (Open-Sora Plan v1.1)."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from models.causal_vae.blocks import NORM
from models.causal_vae.config import LEVELS, CausalVAEConfig
from models.causal_vae.resampling import SpatialUpsample, TimeUpsample
from models.wfvae.blocks import Middle, ResidualBlock
from models.wfvae.convolutions import CausalConv3d
from models.wfvae.normalization import activated, normalization

SPATIAL_LEVELS = (1, 2, 3)
TIME_LEVELS = (2, 3)


class UpLevel(nn.Module):
    """Residual blocks, then twice the sides, then twice the frames, as the level's place has it."""

    def __init__(self, level: int, in_channels: int, channels: int, blocks: int) -> None:
        super().__init__()
        widths = pairwise([in_channels] + [channels] * blocks)
        self.blocks = nn.Sequential(*(ResidualBlock(a, b, NORM) for a, b in widths))
        self.upsample = SpatialUpsample(channels) if level in SPATIAL_LEVELS else nn.Identity()
        self.time_upsample = TimeUpsample(channels) if level in TIME_LEVELS else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.time_upsample(self.upsample(self.blocks(x)))


class Decoder(nn.Module):
    """Latents [B, latent_channels, n+1, H/8, W/8] after `post_quant_conv` → video [B, 3, 4n+1, H, W].

    Levels are numbered as in the encoder and walked from the coarsest, 3, to the finest, 0.
    """

    def __init__(self, config: CausalVAEConfig) -> None:
        super().__init__()
        widths = config.widths
        self.conv_in = CausalConv3d(config.latent_channels, widths[-1], 3, padding=1)
        self.middle = Middle(widths[-1], widths[-1], widths[-1], NORM, attention=True)
        self.levels = nn.ModuleList(
            UpLevel(i, widths[min(i + 1, LEVELS - 1)], widths[i], config.blocks + 1) for i in range(LEVELS)
        )
        self.norm_out = normalization(NORM, widths[0])
        self.conv_out = CausalConv3d(widths[0], 3, 3, padding=1)

    def forward(self, latent: Tensor) -> Tensor:
        h = self.middle(self.conv_in(latent))
        for level in reversed(self.levels):
            h = level(h)
        return self.conv_out(activated(self.norm_out(h)))
