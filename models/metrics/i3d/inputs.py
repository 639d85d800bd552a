"""Videos as I3D is given them: 224 pixels a side, in [-1, 1]."""

from __future__ import annotations

from math import ceil

import torch
from torch import Tensor
from torch.nn import functional as F

SIDE = 224


def as_styleganv(video: Tensor) -> Tensor:
    """[B, 3, T, H, W] in [0, 1] → [B, 3, T, 224, 224] in [-1, 1], as StyleGAN-V resizes: the short side to 224, the
    long one rounded up, bilinear without antialiasing even where that shrinks; then the middle is cut out."""
    batch, _, frames, height, width = video.shape
    scale = SIDE / min(height, width)
    size = (SIDE, ceil(width * scale)) if height < width else (ceil(height * scale), SIDE)
    flat = F.interpolate(video.transpose(1, 2).flatten(0, 1), size, mode="bilinear", align_corners=False)
    top, left = (size[0] - SIDE) // 2, (size[1] - SIDE) // 2
    cut = flat[..., top : top + SIDE, left : left + SIDE].unflatten(0, (batch, frames)).transpose(1, 2)
    return ((cut - 0.5) * 2).contiguous()


def as_videogpt(video: Tensor) -> Tensor:
    """The same with values cut (not rounded) to 8 bits before: no other on what is 8 bits deep already."""
    return as_styleganv((video * 255).to(torch.uint8).to(video.dtype) / 255)
