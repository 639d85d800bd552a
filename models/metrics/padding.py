"""Frames padded to sides that a network can halve, and cut back."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


class Padding:
    """Replicates the border of [B, C, H, W] until both sides are multiples of `multiple`, half of it on each side: the
    smaller half left and above. A side that is one already gets none."""

    def __init__(self, height: int, width: int, multiple: int) -> None:
        down, across = -height % multiple, -width % multiple
        self._sides = (across // 2, across - across // 2, down // 2, down - down // 2)

    def pad(self, frames: Tensor) -> Tensor:
        return F.pad(frames, self._sides, mode="replicate")

    def cut(self, frames: Tensor) -> Tensor:
        left, right, top, bottom = self._sides
        return frames[..., top : frames.shape[-2] - bottom, left : frames.shape[-1] - right]
