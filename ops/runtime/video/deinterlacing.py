"""Interlaced frames, of which every other line was taken a moment later."""

from __future__ import annotations

import av
import numpy as np


def deinterlaced(frame: av.VideoFrame) -> av.VideoFrame:
    """A frame of the same form that shows the moment of its top field.

    Each line of the bottom field is kept between the two lines around it: where something moves, that takes away its
    combs, and where nothing does, it leaves what was there (but for details of a single line). It needs no other frame,
    so that a frame is the same wherever decoding began.
    """
    out = av.VideoFrame(frame.width, frame.height, frame.format.name)
    bits = max(component.bits for component in frame.format.components)
    number = np.dtype(np.uint8 if bits <= 8 else ">u2" if frame.format.is_big_endian else "<u2")
    for stored, made in zip(frame.planes, out.planes, strict=True):
        lines = np.frombuffer(memoryview(stored), np.uint8).reshape(-1, stored.line_size)[:, : made.line_size]
        rows = np.zeros((lines.shape[0], made.line_size), np.uint8)
        rows[:, : lines.shape[1]] = lines
        _without_combs(rows.view(number))
        made.update(rows.tobytes())
    out.colorspace, out.color_range = frame.colorspace, frame.color_range
    out.color_trc, out.color_primaries = frame.color_trc, frame.color_primaries
    return out


def _without_combs(rows: np.ndarray) -> None:
    """In place; the first row belongs to the top field."""
    top, bottom = rows[::2], rows[1::2]
    below = np.concatenate([top[1:], top[-1:]])[: len(bottom)]
    above = top[: len(bottom)]
    np.minimum(bottom, np.maximum(above, below), out=bottom)
    np.maximum(bottom, np.minimum(above, below), out=bottom)
