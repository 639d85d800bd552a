"""A map over video in parts that fit into memory: windows of time, tiles of space (Open-Sora Plan v1.1).

Both are approximations: a part is normalised by its own statistics and sees nothing beyond its edges.

Windows share one frame with the window before and drop what they make of it ("temporal rollback"): a causal model
takes its first frame for a lone one, so there the earlier window knows better. Tiles overlap by a quarter, where one
fades linearly into the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import torch
from torch import Tensor

Map = Callable[[Tensor], Tensor]

WINDOW_FRAMES = 64
"""The stride of the released pixel windows, each one frame longer."""
WINDOW_LATENTS = 16
TILE_PIXELS = 256
OVERLAP_PARTS = 4
"""One in this many of a tile's rows and columns lies in the next tile too."""


def windows(frames: int, stride: int) -> list[tuple[int, int]]:
    """First and end frame of each window: `stride` + 1 frames, the last one perhaps fewer, never a lone shared one."""
    return [(start, min(start + stride + 1, frames)) for start in range(0, max(frames - 1, 1), stride)]


def over_windows(function: Map, x: Tensor, stride: int | None) -> Iterator[Tensor]:
    """`function` of each window of `x` [B, C, T, H, W] along time; None takes all of it as one."""
    for start, end in windows(x.shape[2], stride or x.shape[2]):
        y = function(x[:, :, start:end])
        yield y[:, :, 1:] if start else y


def over_tiles(function: Map, x: Tensor, side: int | None, scale: float) -> Tensor:
    """`function` of square tiles of `x` [B, C, T, H, W], faded together; None takes all of it as one.

    `side` is in places of `x`, and `function` multiplies sides by `scale`; both tile sides must divide by 4.
    """
    if side is None:
        return function(x)
    step = side - side // OVERLAP_PARTS
    keep = round(step * scale)
    above: list[Tensor] = []
    rows = []
    for top in range(0, x.shape[3], step):
        starts = range(0, x.shape[4], step)
        tiles = [function(x[:, :, :, top : top + side, left : left + side]) for left in starts]
        # Down first, then across what that made: where four tiles meet, each counts for the product of its shares.
        faded = [_faded(a, tile, keep, dim=3) for a, tile in zip(above, tiles, strict=True)] if above else tiles
        faded = [faded[0], *(_faded(a, b, keep, dim=4) for a, b in pairwise(faded))]
        rows.append(torch.cat([tile[..., :keep, :keep] for tile in faded], dim=4))
        above = tiles
    return torch.cat(rows, dim=3)


def _faded(before: Tensor, tile: Tensor, keep: int, dim: int) -> Tensor:
    """`tile`, where its first places along `dim` lie in `before` too, going over from that one's values to its own."""
    shared = before.shape[dim] - keep
    share = torch.arange(shared, device=tile.device, dtype=tile.dtype) / shared
    share = share.view([-1 if axis == dim else 1 for axis in range(tile.ndim)])
    fade = torch.lerp(before.narrow(dim, keep, shared), tile.narrow(dim, 0, shared), share)
    return torch.cat([fade, tile.narrow(dim, shared, tile.shape[dim] - shared)], dim=dim)
