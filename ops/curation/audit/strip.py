"""A clip as one picture: frames side by side, the crop drawn into them, and a dashed line for each cut beside them."""

from __future__ import annotations

import numpy as np

from ops.config import Shots
from ops.curation.audit.preview import Preview, preview, tiles
from ops.data.tables import Row
from ops.runtime.project import Project

GAP, LINE = 6, 2
DIM, FAR = 0.38, 0.45
"""How bright the picture stays outside the crop, and beyond a cut."""
GOLD, RED, WHITE = (255, 209, 102), (190, 18, 8), (255, 255, 255)


def strip(project: Project, row: Row, rule: Shots, count: int) -> np.ndarray:
    """uint8 [H, W, 3]: up to `count` frames of the clip; beyond a jump cut the nearest frame, paler.

    Raises:
        UndecodableVideo, OSError: the source cannot be read, or not as far.
    """
    shown = preview(row, rule, count)
    parts = []
    for index, picture in tiles(project, row, shown).items():
        if index in shown.frames:
            drawn = with_crop(picture, row["crop"], row["width"], row["height"])
        else:
            drawn = (picture * FAR + 255 * (1 - FAR)).astype(np.uint8)
        parts += [drawn, _after(index, shown)]
    return np.concatenate(parts[:-1], axis=1)


def with_crop(picture: np.ndarray, crop: list[int] | None, width: int, height: int) -> np.ndarray:
    """The picture, darker outside the crop and with its outline; `width` and `height` are those the crop counts in."""
    if crop is None:
        return picture
    across, down = picture.shape[1] / width, picture.shape[0] / height
    x0, x1 = (round(x * across) for x in crop[:2])
    y0, y1 = (round(y * down) for y in crop[2:])
    drawn = (picture * DIM).astype(np.uint8)
    drawn[y0:y1, x0:x1] = GOLD
    inner = (slice(y0 + LINE, y1 - LINE), slice(x0 + LINE, x1 - LINE))
    drawn[inner] = picture[inner]
    return drawn


def _after(index: int, shown: Preview) -> np.ndarray:
    """What separates a frame from the next one: white, with a dashed line where a cut lies between them."""
    gap = np.full((shown.height, GAP, 3), WHITE, np.uint8)
    if index == shown.before or (index == shown.frames[-1] and shown.after is not None):
        rows = np.arange(shown.height) % 10 < 6
        gap[rows, GAP // 2 - 1 : GAP // 2 + 2] = RED
    return gap
