"""Video Swin transformer (Liu et al. 2022, arXiv 2106.13230), windows over fragments where they are gated.

B: batch · T, H, W: tokens in time, height and width · C: channels. The names of modules are those of the published
state dict.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.dover.attention import WindowAttention
from models.dover.config import DoverConfig
from models.dover.windows import Size, Windowing
from models.feed_forward import FeedForward


class PatchEmbedding(nn.Module):
    """Pixels [B, 3, T', H', W'] → normalised tokens [B, T, H, W, C]; sides are padded with zeros to whole patches."""

    def __init__(self, patch: Size, width: int) -> None:
        super().__init__()
        self.patch = patch
        self.proj = nn.Conv3d(3, width, patch, patch)
        self.norm = nn.LayerNorm(width)

    def forward(self, pixels: Tensor) -> Tensor:
        t, h, w = (-there % side for there, side in zip(pixels.shape[2:], self.patch, strict=True))
        return self.norm(self.proj(F.pad(pixels, (0, w, 0, h, 0, t))).permute(0, 2, 3, 4, 1))


class Block(nn.Module):
    """Attention within windows and feed-forward, each on normalised input and added to it."""

    def __init__(self, width: int, heads: int, window: Size, shifted: bool, fragments: int | None) -> None:
        super().__init__()
        self.window, self.shifted = window, shifted
        self.norm1 = nn.LayerNorm(width)
        self.attn = WindowAttention(width, heads, window, fragments)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = FeedForward(width, 4 * width)

    def forward(self, x_BTHWC: Tensor) -> Tensor:
        _, t, h, w, _ = x_BTHWC.shape
        windows = Windowing.of((t, h, w), self.window, self.shifted)
        attended = self.attn(windows.cut(self.norm1(x_BTHWC)), windows)
        x = x_BTHWC + windows.join(attended, (t, h, w))
        return x + self.mlp(self.norm2(x))


class Downsampling(nn.Module):
    """Four neighbours of a frame become one token of twice the width; odd sides are padded with zeros."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.reduction = nn.Linear(4 * width, 2 * width, bias=False)
        self.norm = nn.LayerNorm(4 * width)

    def forward(self, x_BTHWC: Tensor) -> Tensor:
        x = F.pad(x_BTHWC, (0, 0, 0, x_BTHWC.shape[3] % 2, 0, x_BTHWC.shape[2] % 2))
        neighbours = [x[:, :, row::2, column::2] for column in (0, 1) for row in (0, 1)]
        return self.reduction(self.norm(torch.cat(neighbours, dim=-1)))


class Stage(nn.Module):
    """Blocks over windows that lie shifted in every other one, then half the height and width, but in the last."""

    def __init__(self, config: DoverConfig, stage: int) -> None:
        super().__init__()
        width, heads = config.stage_width(stage), config.heads[stage]
        fragments = config.fragments if config.is_gated(stage) else None
        self.blocks = nn.ModuleList(
            Block(width, heads, config.window, number % 2 == 1, fragments) for number in range(config.depths[stage])
        )
        is_last = stage == len(config.depths) - 1
        self.downsample = None if is_last else Downsampling(width)

    def forward(self, x_BTHWC: Tensor) -> Tensor:
        for block in self.blocks:
            x_BTHWC = block(x_BTHWC)
        return x_BTHWC if self.downsample is None else self.downsample(x_BTHWC)


class Backbone(nn.Module):
    """Normalised pixels [B, 3, T', H', W'] → features [B, T, H, W, C]: of 32×224×224 pixels 16×7×7 of 768 channels."""

    def __init__(self, config: DoverConfig) -> None:
        super().__init__()
        self.patch_embed = PatchEmbedding(config.patch, config.width)
        self.layers = nn.ModuleList(Stage(config, stage) for stage in range(len(config.depths)))
        self.norm = nn.LayerNorm(config.out_width)

    def forward(self, pixels: Tensor) -> Tensor:
        x = self.patch_embed(pixels)
        for layer in self.layers:
            x = layer(x)
        return self.norm(x)
