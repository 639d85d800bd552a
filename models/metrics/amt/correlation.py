"""All pairs of places of two frames, and what lies around given ones of them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

LEVELS, RADIUS = 4, 3
WINDOW = 2 * RADIUS + 1


class Correlation:
    """⟨f0, f1⟩ / √C of every place of f0 [B, C, H, W] with every one of f1, halved three times over."""

    def __init__(self, first: Tensor, second: Tensor) -> None:
        batch, channels, height, width = first.shape
        pairs = torch.einsum("bcn,bcm->bnm", first.flatten(2), second.flatten(2)) / channels**0.5
        self.forwards = self._pyramid(pairs, batch, height, width)
        self.backwards = self._pyramid(pairs.mT, batch, height, width)

    @staticmethod
    def _pyramid(pairs: Tensor, batch: int, height: int, width: int) -> list[Tensor]:
        levels = [pairs.reshape(batch * height * width, 1, height, width)]
        while len(levels) < LEVELS:
            levels.append(F.avg_pool2d(levels[-1], 2))
        return levels


def look_up(pyramid: list[Tensor], places: Tensor) -> Tensor:
    """Around `places` [B, 2, H, W], x and y: 7×7 values a level, [B, 4 · 49, H, W], and zeros outside the frame.

    The published offsets are rows first and are added to (x, y) as they are, so that x and y are swapped in them.
    """
    batch, _, height, width = places.shape
    reach = torch.arange(-RADIUS, RADIUS + 1, device=places.device, dtype=places.dtype)
    offsets = torch.stack(torch.meshgrid(reach, reach, indexing="ij"), dim=-1)  # [7, 7, 2]
    centres = places.permute(0, 2, 3, 1).reshape(-1, 1, 1, 2)
    found = [sample(level, centres / 2**number + offsets, "zeros") for number, level in enumerate(pyramid)]
    return torch.cat([each.reshape(batch, height, width, -1) for each in found], dim=-1).permute(0, 3, 1, 2)


def sample(image: Tensor, places: Tensor, outside: str) -> Tensor:
    """`image` [B, C, H, W] at `places` [B, h, w, 2] in pixels, x first: bilinear, [B, C, h, w]."""
    height, width = image.shape[-2:]
    size = torch.tensor([width - 1, height - 1], device=image.device, dtype=image.dtype)
    return F.grid_sample(image, 2 * places / size - 1, padding_mode=outside, align_corners=True)


def grid(like: Tensor) -> Tensor:
    """The places of an image [B, C, H, W], x and y: [B, 2, H, W]."""
    batch, _, height, width = like.shape
    rows = torch.arange(height, device=like.device, dtype=like.dtype)
    columns = torch.arange(width, device=like.device, dtype=like.dtype)
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    return torch.stack([x, y]).expand(batch, 2, height, width)


def warp(image: Tensor, flow: Tensor) -> Tensor:
    """`image` [B, C, H, W] where `flow` [B, 2, H, W] says, in pixels; the border stands for what lies beyond it."""
    return sample(image, (grid(image) + flow).permute(0, 2, 3, 1), "border")
