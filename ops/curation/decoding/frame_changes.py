"""How much every frame of a slice differs from the one before: cheap, and enough to find a cut to the frame."""

from __future__ import annotations

from collections.abc import Sequence

import av
import numpy as np

from ops.runtime.video.rendering import Renderer

SIDE = 32
VERSION = 1
"""Raised when the same frames give other numbers."""


class Thumbnails:
    """Every decoded frame, reduced to `size` (width and height, whatever its shape) until it is let go.

    One of 32×32 takes 3 KiB and a tenth of the time to decode a frame, so that all frames of a slice are held where
    their pictures would take gigabytes.
    """

    def __init__(self, size: tuple[int, int] = (SIDE, SIDE)) -> None:
        self._size = size
        self._held: dict[int, np.ndarray] = {}
        self._renderer = Renderer()

    def see(self, index: int, frame: av.VideoFrame) -> None:
        self._held[index] = self._renderer.lying(frame, self._size).to_ndarray()

    def at(self, indices: Sequence[int]) -> list[np.ndarray]:
        """uint8 RGB [height, width, 3] each."""
        return [self._held[index] for index in indices]

    def between(self, first: int, last: int) -> np.ndarray:
        """uint8 RGB [last - first + 1, height, width, 3]: both ends are among them."""
        return np.stack(self.at(range(first, last + 1)))

    def forget(self, before: int) -> None:
        self._held = {index: picture for index, picture in self._held.items() if index >= before}


def frame_changes(pictures: np.ndarray, reach: int) -> tuple[list[float], list[float]]:
    """For n + 1 pictures uint8 [n + 1, H, W, 3], n changes and n returns: mean absolute differences, 0 to 255.

    Change i is that from picture i to i + 1. Return i says how near the picture before it is to one of the next
    `reach` after it, or the picture after it to one of the `reach` before: little where the change is the beginning
    or the end of a flash. It is the change itself where nothing comes back.
    """
    whole = pictures.astype(np.int16)
    changes = _apart(whole, 1)
    returns = changes.copy()
    for lag in range(2, min(reach, len(whole) - 1) + 1):
        apart = _apart(whole, lag)
        returns[: len(apart)] = np.minimum(returns[: len(apart)], apart)
        returns[lag - 1 :] = np.minimum(returns[lag - 1 :], apart)
    return changes.round(2).tolist(), returns.round(2).tolist()


def _apart(pictures: np.ndarray, lag: int) -> np.ndarray:
    """The distance of each picture to that `lag` later, float64 [n + 1 - lag]."""
    result: np.ndarray = np.abs(pictures[lag:] - pictures[:-lag]).mean(axis=(1, 2, 3))
    return result
