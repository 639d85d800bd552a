"""Small pictures for a person to look at while a training runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ops.runtime.files import replacing

GAP = 2
SHORTEST_SIDE = 96
"""Frames smaller than this are enlarged by a whole factor, so that a page shows them at a visible size."""


def save_rows(rows: Sequence[NDArray[np.uint8]], path: Path) -> None:
    """Write frames as a PNG, one row for each array [T, H, W, 3]; rows may differ in size."""
    factor = max(1, -(-SHORTEST_SIDE // min(min(row.shape[1:3]) for row in rows)))
    strips = [np.concatenate([_framed(frame, factor) for frame in row], axis=1) for row in rows]
    canvas = np.full((sum(s.shape[0] for s in strips), max(s.shape[1] for s in strips), 3), 255, np.uint8)
    top = 0
    for strip in strips:
        canvas[top : top + strip.shape[0], : strip.shape[1]] = strip
        top += strip.shape[0]
    with replacing(path) as temporary:
        Image.fromarray(canvas).save(temporary, format="PNG")


def _framed(frame: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    enlarged = frame.repeat(factor, axis=0).repeat(factor, axis=1)
    return np.pad(enlarged, ((0, GAP), (0, GAP), (0, 0)), constant_values=255)
