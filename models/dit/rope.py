"""Rotary position embedding over time, height and width (arXiv 2412.00131).

S: tokens · H: heads · E: head width · P: pairs of an axis, E/6
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

BASE = 10000.0


class RotaryTable(NamedTuple):
    """Cosines and sines [S, 1, 3, P] of each token's angles: for each of the axes t, h and w, one for each pair."""

    cosine: Tensor
    sine: Tensor


def rotary_table(
    grid: tuple[int, int, int],
    scales: tuple[float, float, float],
    head_width: int,
    device: torch.device,
    rounding: torch.dtype = torch.float32,
) -> RotaryTable:
    """The table for a grid of T×H×W tokens in that order.

    Angles are float32; `rounding` sets the precision that they pass through before cosine and sine are taken.
    """
    pairs = head_width // 6
    frequencies = BASE ** (-torch.arange(pairs, dtype=torch.float32, device=device) / pairs)
    axes = [
        (torch.arange(size, dtype=torch.float32, device=device) / scale)[:, None] * frequencies
        for size, scale in zip(grid, scales, strict=True)
    ]
    t, h, w = (angles.view([-1 if i == axis else 1 for i in range(3)] + [pairs]) for axis, angles in enumerate(axes))
    shape = (*grid, pairs)
    angles = torch.stack([t.expand(shape), h.expand(shape), w.expand(shape)], dim=3).flatten(0, 2).unsqueeze(1)
    angles = angles.to(rounding)
    return RotaryTable(angles.cos().float(), angles.sin().float())


def rotate(x_BSHE: Tensor, table: RotaryTable) -> Tensor:
    """Queries or keys turned by their position; computed in float32, returned in the type that came in.

    A head is three blocks of E/3 for t, h and w; in each, element j is paired with element j + E/6.
    """
    a, b = x_BSHE.float().unflatten(-1, (3, 2, -1)).unbind(-2)
    cosine, sine = table
    turned = torch.stack([a * cosine - b * sine, b * cosine + a * sine], dim=-2)
    return turned.flatten(-3).to(x_BSHE.dtype)
