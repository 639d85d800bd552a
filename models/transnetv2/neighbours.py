"""How like each frame is to those around it: cosines of its features, or of its histogram of colours."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

REACH = 50
"""Frames to either side."""
LEVELS = 8
"""Of each colour, in the histograms."""


class FeatureNeighbours(nn.Module):
    """Features [B, T, C], projected, → [B, T, width]."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.projection = nn.Linear(channels, width)
        self.output = nn.Linear(2 * REACH + 1, width)

    def forward(self, features: Tensor) -> Tensor:
        return F.relu(self.output(likeness(self.projection(features))))


class ColourNeighbours(nn.Module):
    """RGB frames uint8 [B, T, H, W, 3] → [B, T, width]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.output = nn.Linear(2 * REACH + 1, width)

    def forward(self, frames: Tensor) -> Tensor:
        return F.relu(self.output(likeness(histograms(frames).to(self.output.weight.dtype))))


def histograms(frames: Tensor) -> Tensor:
    """How many pixels of each frame, uint8 [B, T, H, W, 3], have each of the 512 colours: int64 [B, T, 512]."""
    levels = (frames // (256 // LEVELS)).long()
    colours = ((levels[..., 0] * LEVELS + levels[..., 1]) * LEVELS + levels[..., 2]).flatten(2)
    counts = colours.new_zeros(*colours.shape[:2], LEVELS**3)
    return counts.scatter_add_(2, colours, torch.ones_like(colours))


def likeness(vectors: Tensor) -> Tensor:
    """The cosine of each frame's vector, [B, T, C], with those from 50 frames before it to 50 after it, which is 0
    beyond the window: [B, T, 101]."""
    unit = F.normalize(vectors, dim=2)
    around = F.pad(unit, (0, 0, REACH, REACH)).unfold(1, 2 * REACH + 1, 1)  # [B, T, C, 101]
    return torch.einsum("btc,btcn->btn", unit, around)
