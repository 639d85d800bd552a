"""What DOVER's technical branch looks at: which frames of a clip, and which patches of them, at the resolution filmed.

(Wu et al. 2023, with the settings of the published inference.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SEGMENTS, FRAMES, INTERVAL = 3, 32, 2
"""A clip falls into three equal segments; of each 32 frames are taken, every other one."""
CELLS, PATCH = 7, 32
SIDE = CELLS * PATCH


def segment_frames(frames: int, random: np.random.Generator) -> list[list[int]]:
    """For a clip of `frames` frames, the 32 of each of the three segments, as numbers in the clip.

    They start anywhere in a segment longer than they reach (64 frames), and at its beginning in a shorter one; past the
    clip's end they go on from its beginning.
    """
    length, reach = frames // SEGMENTS, FRAMES * INTERVAL
    starts = random.integers(0, length - reach, SEGMENTS) if length > reach else np.zeros(SEGMENTS, int)
    return [
        [(segment * length + int(start) + number * INTERVAL) % frames for number in range(FRAMES)]
        for segment, start in enumerate(starts)
    ]


@dataclass(frozen=True)
class FragmentGrid:
    """Where the patches of 32×32 pixels are cut out of pictures of one size: one of each cell of 7×7.

    `rows` and `columns` [7, 7] are the places of their upper left corners in the picture, enlarged to `height` and
    `width` if a side was shorter than the 224 pixels that the patches need.
    """

    height: int
    width: int
    rows: np.ndarray
    columns: np.ndarray

    @classmethod
    def draw(cls, height: int, width: int, random: np.random.Generator) -> FragmentGrid:
        """A grid for pictures of `height` and `width`, each patch somewhere in its cell."""
        scale = max(1.0, SIDE / min(height, width))
        height, width = (max(SIDE, round(side * scale)) for side in (height, width))
        rows = _cells(height)[:, None] + _offsets(height // CELLS, random)
        columns = _cells(width)[None, :] + _offsets(width // CELLS, random)
        return cls(height, width, rows, columns)

    def cut(self, picture: np.ndarray) -> np.ndarray:
        """uint8 RGB [H, W, 3] → its patches side by side, uint8 [224, 224, 3]."""
        picture = _enlarged(picture, self.height, self.width)
        cut = np.empty((SIDE, SIDE, 3), np.uint8)
        for row in range(CELLS):
            for column in range(CELLS):
                top, left = self.rows[row, column], self.columns[row, column]
                patch = picture[top : top + PATCH, left : left + PATCH]
                cut[row * PATCH : (row + 1) * PATCH, column * PATCH : (column + 1) * PATCH] = patch
        return cut


def _cells(side: int) -> np.ndarray:
    """Where the cells of a side begin; the patch of the last one still lies inside."""
    return np.minimum(side // CELLS * np.arange(CELLS), side - PATCH)


def _offsets(length: int, random: np.random.Generator) -> np.ndarray:
    """Of each patch in its cell of `length` pixels a side."""
    return random.integers(0, length - PATCH, (CELLS, CELLS)) if length > PATCH else np.zeros((CELLS, CELLS), int)


def _enlarged(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bilinear. (The published code enlarges, too, but lays the grid for the size before.)"""
    if picture.shape[:2] == (height, width):
        return picture
    from PIL import Image

    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR))
