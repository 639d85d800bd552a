"""A clip as one picture: frames side by side, the crop drawn into them, and a dashed line for each cut beside them."""

from __future__ import annotations

import numpy as np

from ops.config import Shots
from ops.curation.audit.preview import Preview, preview, tiles
from ops.runtime.project import Project
from ops.runtime.tables import Row

GAP, LINE, DASH, SPACE = 6, 2, 6, 4
"""Pixels, in a strip as wide as `SEEN` or narrower. A wider one is shown smaller, so all of these grow with it."""
SEEN = 640
DIM, FAR = 0.38, 0.45
"""How bright the picture stays outside the crop, and beyond a cut."""
GOLD, RED, WHITE = (255, 209, 102), (190, 18, 8), (255, 255, 255)


def strip(project: Project, row: Row, rule: Shots, count: int) -> np.ndarray:
    """uint8 [H, W, 3]: up to `count` frames of the clip; beyond a jump cut the nearest frame, paler.

    Raises:
        UndecodableVideo, OSError: the source cannot be read, or not as far.
    """
    shown = preview(row, rule, count)
    times = max(1, round(len(shown.indices) * shown.width / SEEN))
    parts = []
    for index, picture in tiles(project, row, shown).items():
        if index in shown.frames:
            drawn = with_crop(picture, row["crop"], row["width"], row["height"], times * LINE)
        else:
            drawn = (picture * FAR + 255 * (1 - FAR)).astype(np.uint8)
        parts += [drawn, _after(index, shown, times)]
    return np.concatenate(parts[:-1], axis=1)


def with_crop(picture: np.ndarray, crop: list[int] | None, width: int, height: int, line: int = LINE) -> np.ndarray:
    """The picture, darker outside the crop and with its outline; `width` and `height` are those the crop counts in."""
    if crop is None:
        return picture
    across, down = picture.shape[1] / width, picture.shape[0] / height
    x0, x1 = (round(x * across) for x in crop[:2])
    y0, y1 = (round(y * down) for y in crop[2:])
    drawn = (picture * DIM).astype(np.uint8)
    drawn[y0:y1, x0:x1] = GOLD
    inner = (slice(y0 + line, y1 - line), slice(x0 + line, x1 - line))
    drawn[inner] = picture[inner]
    return drawn


def _after(index: int, shown: Preview, times: int) -> np.ndarray:
    """What separates a frame from the next one: white, with a dashed line where a cut lies between them."""
    gap = np.full((shown.height, times * GAP, 3), WHITE, np.uint8)
    if index == shown.before or (index == shown.frames[-1] and shown.after is not None):
        rows = np.arange(shown.height) % (times * (DASH + SPACE)) < times * DASH
        gap[rows, times * (GAP // 2 - 1) : times * (GAP // 2 + 2)] = RED
    return gap
