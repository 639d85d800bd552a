"""The pictures of the dataset report that show pictures: what was kept, and what was rejected and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa

from ops.curation.audit.strip import strip
from ops.curation.decoding.frames import UndecodableVideo
from ops.curation.rules.decisions import joined
from ops.curation.sources.listing import file_of
from ops.data import pixels
from ops.runtime import frame_grid
from ops.runtime.project import Project
from ops.runtime.tables import Row

T = TypeVar("T")
MOST = 12
COLUMNS = 3
WIDTH, HEIGHT = 480, 180
"""Pixels of a tile's picture."""
LINES = 2
"""Of the words above it."""


@dataclass(frozen=True)
class Tile:
    """A row of clips or images, the words above its picture, and their colour."""

    row: Row
    words: str
    colour: str


def chosen(groups: Mapping[str, Sequence[T]]) -> list[T]:
    """Up to `MOST` of all, in turn from each group, so that a large one hides no small one."""
    turns = chain.from_iterable(zip_longest(*groups.values()))
    return [each for each in turns if each is not None][:MOST]


def first_of_groups(table: pa.Table, key: str, wanted: np.ndarray) -> dict[str, list[int]]:
    """The first `MOST` rows, by number, of the first `MOST` groups among the wanted rows (bool [rows]), those of a
    group having the same in the column `key`: no others can be chosen."""
    numbers = np.flatnonzero(wanted)
    if not len(numbers):
        return {}
    encoded = joined(table[key].take(pa.array(numbers)).cast(pa.string())).dictionary_encode()
    codes = encoded.indices.to_numpy()
    _, first = np.unique(codes, return_index=True)
    names = codes[np.sort(first)[:MOST]]
    return {encoded.dictionary[code].as_py(): numbers[np.flatnonzero(codes == code)[:MOST]].tolist() for code in names}


def draw_gallery(project: Project, title: str, tiles: Sequence[Tile], path: Path) -> None:
    """A grid of tiles: moments of a clip side by side, or an image. No tiles give a page that says so."""
    drawn = [
        frame_grid.Tile(_canvas(_strip(project, tile.row)), tile.words, tile.colour, lines=LINES) for tile in tiles
    ]
    heading = frame_grid.Tile(np.full((1, COLUMNS * WIDTH, 3), 255, np.uint8), title if tiles else f"{title}: none")
    frame_grid.save([[heading], *frame_grid.in_columns(drawn, COLUMNS)], path)


def _strip(project: Project, row: Row) -> np.ndarray:
    """An image, or moments of a clip with its crop and the cuts beside it, as large as a tile allows."""
    try:
        picture = _picture(project, row)
    except (UndecodableVideo, OSError):
        return np.full((HEIGHT, WIDTH, 3), 233, np.uint8)  # grey: the words above it say what is wrong
    height, width = picture.shape[:2]
    scale = min(HEIGHT / height, WIDTH / width)
    return pixels.fitted(picture, max(1, int(height * scale)), max(1, int(width * scale)))


def _picture(project: Project, row: Row) -> np.ndarray:
    if "start_frame" not in row:
        return pixels.image_pixels(file_of(project, row["root"], row["path"]))
    count = 2 if 3 * row["width"] * HEIGHT > WIDTH * row["height"] else 3
    return strip(project, row, project.settings.curation.shots, count)


def _canvas(strip: np.ndarray) -> np.ndarray:
    """White, with the strip at the upper left, under its words."""
    canvas = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    canvas[: strip.shape[0], : strip.shape[1]] = strip
    return canvas
