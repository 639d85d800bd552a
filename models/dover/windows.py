"""Windows of a grid of tokens: cutting it up, which tokens may see each other, and how far apart their fragments are.

B: batch · T, H, W: tokens in time, height and width · C: channels · V: windows · N: tokens of a window
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

Size = tuple[int, int, int]
"""Frames, height, width, in tokens."""

UNSEEN = -100.0
"""Added to the score of a token that is not to be seen; Video Swin's number, which still leaves it a trace."""


@dataclass(frozen=True)
class Windowing:
    """How a grid of tokens falls into windows: `size` of one, `shift` of the grid before, `padded` size of the grid."""

    size: Size
    shift: Size
    padded: Size

    @classmethod
    def of(cls, tokens: Size, window: Size, shifted: bool) -> Windowing:
        """Along an axis that one window covers it takes the axis' size, and is not shifted."""
        axes = [
            (there, 0) if there <= wanted else (wanted, wanted // 2 if shifted else 0)
            for there, wanted in zip(tokens, window, strict=True)
        ]
        (t, dt), (h, dh), (w, dw) = axes
        frames, height, width = (-(-there // wanted) * wanted for there, (wanted, _) in zip(tokens, axes, strict=True))
        return cls((t, h, w), (dt, dh, dw), (frames, height, width))

    @property
    def tokens(self) -> int:
        """Of one window."""
        t, h, w = self.size
        return t * h * w

    def cut(self, x_BTHWC: Tensor) -> Tensor:
        """Pad with zeros, shift and cut up: [B, T, H, W, C] → [B, V, N, C]."""
        missing = [there - here for there, here in zip(self.padded, x_BTHWC.shape[1:4], strict=True)]
        x = F.pad(x_BTHWC, (0, 0, 0, missing[2], 0, missing[1], 0, missing[0]))
        x = x.roll([-each for each in self.shift], dims=(1, 2, 3))
        for axis in (3, 2, 1):  # from the last, so that the places of those before stay
            x = x.unflatten(axis, (-1, self.size[axis - 1]))
        return x.permute(0, 1, 3, 5, 2, 4, 6, 7).flatten(4, 6).flatten(1, 3)

    def join(self, x_BVNC: Tensor, tokens: Size) -> Tensor:
        """The inverse of `cut` for a grid of `tokens`: [B, V, N, C] → [B, T, H, W, C]."""
        counts = [whole // side for whole, side in zip(self.padded, self.size, strict=True)]
        x = x_BVNC.unflatten(1, counts).unflatten(4, self.size).permute(0, 1, 4, 2, 5, 3, 6, 7)
        x = x.reshape(x.shape[0], *self.padded, x.shape[-1]).roll(self.shift, dims=(1, 2, 3))
        return x[:, : tokens[0], : tokens[1], : tokens[2]].contiguous()

    def cut_labels(self, labels_THW: Tensor) -> Tensor:
        """Numbers at the places of the padded grid, before the shift, as the windows see them: [V, N]."""
        return self.cut(labels_THW[None, ..., None])[0, ..., 0]


def seam_mask(windows: Windowing) -> Tensor | None:
    """[V, N, N] to add to the scores: `UNSEEN` between tokens that only the shift brought together, else 0."""
    if not any(windows.shift):
        return None
    region = torch.zeros(windows.padded, dtype=torch.long)
    for axis, (side, window, shift) in enumerate(zip(windows.padded, windows.size, windows.shift, strict=True)):
        place = (torch.arange(side) - shift) % side  # where the shift takes it
        part = torch.where(place < side - window, 0, torch.where(place < side - shift, 1, 2)) if shift else place * 0
        region = region * 3 + part.view([-1 if each == axis else 1 for each in range(3)])
    seen = windows.cut_labels(region)
    return (seen[:, :, None] != seen[:, None, :]) * UNSEEN


def cells_apart(windows: Windowing, fragments: int) -> Tensor:
    """[V, N, N]: by how many cells of the grid of fragments two tokens are apart, rows and columns added up.

    0 for two tokens of one fragment; of its whole duration, for a fragment is the same place in every frame.
    """
    _, height, width = windows.padded
    row, column = (torch.arange(side) * fragments // side for side in (height, width))
    apart = torch.zeros(())
    for label in (row[:, None], column[None, :]):
        seen = windows.cut_labels(label.expand(windows.padded)).float()
        apart = apart + (seen[:, :, None] - seen[:, None, :]).abs()
    return apart


def relative_places(window: Size) -> Tensor:
    """[N, N]: for each pair of tokens of a window, the row of a bias table that their offset has."""
    axes = torch.meshgrid(*(torch.arange(side) for side in window), indexing="ij")
    index = torch.zeros((), dtype=torch.long)
    for places, side in zip(axes, window, strict=True):
        offset = places.flatten()[:, None] - places.flatten()[None, :] + side - 1
        index = index * (2 * side - 1) + offset
    return index
