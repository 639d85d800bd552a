"""Convolutions in space and time whose reach in time grows: dilated by 1, 2, 4 and 8 frames side by side."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

DILATIONS = (1, 2, 4, 8)
SMALLEST_VARIANCE = 1e-3
"""What batch normalisation adds to a variance: TensorFlow's default, with which the weights were trained."""


class DilatedBlock(nn.Module):
    """[B, C, T, H, W] → [B, 4 · filters, T, H, W]: a convolution of 3×3 pixels, then one of 3 frames, for each
    dilation in time, all of them normalised together."""

    def __init__(self, channels: int, filters: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(
                nn.Conv3d(channels, 2 * filters, (1, 3, 3), padding=(0, 1, 1), bias=False),
                nn.Conv3d(2 * filters, filters, (3, 1, 1), padding=(gap, 0, 0), dilation=(gap, 1, 1), bias=False),
            )
            for gap in DILATIONS
        )
        self.norm = nn.BatchNorm3d(len(DILATIONS) * filters, eps=SMALLEST_VARIANCE)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(torch.cat([branch(x) for branch in self.branches], dim=1))


class Stack(nn.Module):
    """Two blocks with the first one's output added to the second's, and half the height and width."""

    def __init__(self, channels: int, filters: int) -> None:
        super().__init__()
        self.first = DilatedBlock(channels, filters)
        self.second = DilatedBlock(len(DILATIONS) * filters, filters)

    def forward(self, x: Tensor) -> Tensor:
        first = F.relu(self.first(x))
        return F.avg_pool3d(F.relu(self.second(first)) + first, (1, 2, 2))
