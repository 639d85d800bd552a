"""A small animated picture of a video, for pages and chats that show no films."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ops.runtime.frame_grid import legible, save_moving

MOST_FRAMES = 48
SHORTEST_SIDE, LONGEST_SIDE = 128, 256
"""Smaller videos are enlarged by a whole factor, larger ones reduced: they are to be seen, not studied."""


class Preview:
    """Takes some of a video's frames as they come: evenly, and so few that a long video makes no large picture."""

    def __init__(self, frames: int, fps: float) -> None:
        self._every = -(-frames // MOST_FRAMES)
        self._fps = fps / self._every
        self._taken: list[Image.Image] = []

    def watched(self, frames: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
        for number, frame in enumerate(frames):
            if number % self._every == 0:
                self._taken.append(Image.fromarray(legible(frame, SHORTEST_SIDE, LONGEST_SIDE)))
            yield frame

    def write(self, path: Path) -> None:
        """As an animated WebP that plays at the video's pace."""
        save_moving(self._taken, path, self._fps)
