"""The pictures of the dataset report that show pictures: what was kept, and what was rejected and why."""

from __future__ import annotations

import textwrap
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path

import numpy as np

from ops.curation.audit.strip import strip
from ops.curation.decoding.frames import UndecodableVideo
from ops.curation.sources.listing import file_of
from ops.data import pixels
from ops.reports.figures import figure, save
from ops.runtime.project import Project
from ops.runtime.tables import Row

MOST = 12
COLUMNS = 3
WIDTH, HEIGHT = 480, 180
"""Pixels of a tile's picture."""


@dataclass(frozen=True)
class Tile:
    """A row of clips or images, the words under its picture, and their colour."""

    row: Row
    words: str
    colour: str


def chosen(groups: dict[str, list[Row]]) -> list[Row]:
    """Up to `MOST` rows, in turn from each group, so that a large one hides no small one."""
    turns = chain.from_iterable(zip_longest(*groups.values()))
    return [row for row in turns if row is not None][:MOST]


def grouped(rows: Sequence[Row], key: str) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row[key]].append(row)
    return dict(groups)


def draw_gallery(project: Project, title: str, tiles: Sequence[Tile], path: Path) -> None:
    """A grid of tiles: moments of a clip side by side, or an image. No tiles give a page that says so."""
    lines = max(1, -(-len(tiles) // COLUMNS))
    drawn = figure(12.5, 2.05 * lines + 0.5, title if tiles else f"{title}: none")
    grid = list(drawn.subplots(lines, COLUMNS, squeeze=False).flat)
    for axes, tile in zip(grid, tiles, strict=False):
        axes.imshow(_canvas(_strip(project, tile.row)), interpolation="lanczos")
        words = textwrap.fill(textwrap.shorten(tile.words, 130, placeholder=" …"), 66)
        axes.text(0, HEIGHT + 8, words + "\n" * (1 - words.count("\n")), fontsize=8, color=tile.colour, va="top")
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    for axes in grid[len(tiles) :]:
        axes.set_visible(False)
    save(drawn, path)


def _strip(project: Project, row: Row) -> np.ndarray:
    """An image, or moments of a clip with its crop and the cuts beside it, as large as a tile allows."""
    try:
        picture = _picture(project, row)
    except (UndecodableVideo, OSError):
        return np.full((HEIGHT, WIDTH, 3), 233, np.uint8)  # grey: the words under it say what is wrong
    height, width = picture.shape[:2]
    scale = min(HEIGHT / height, WIDTH / width)
    return pixels.fitted(picture, max(1, int(height * scale)), max(1, int(width * scale)))


def _picture(project: Project, row: Row) -> np.ndarray:
    if "start_frame" not in row:
        return pixels.image_pixels(file_of(project, row["root"], row["path"]))
    count = 2 if 3 * row["width"] * HEIGHT > WIDTH * row["height"] else 3
    return strip(project, row, project.settings.curation.shots, count)


def _canvas(strip: np.ndarray) -> np.ndarray:
    """White, with the strip at the lower left, next to its words."""
    canvas = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    canvas[HEIGHT - strip.shape[0] :, : strip.shape[1]] = strip
    return canvas
