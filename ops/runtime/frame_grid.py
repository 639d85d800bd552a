"""Frames on one page: rows of pictures on white, each with words above it where it has some."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ops.runtime.files import replacing

Picture = NDArray[np.uint8]
"""RGB, [H, W, 3]."""
GAP = 4
SHORTEST_SIDE = 96
"""At which a frame is seen well enough, where nothing else is asked for."""
LABEL = 16
"""Pixels of a line of words."""


@dataclass(frozen=True)
class Tile:
    """A picture and the words above it, on so many lines of its own width; what does not fit is left out."""

    picture: Picture
    words: str = ""
    colour: str = "black"
    lines: int = 1


def grid(rows: Sequence[Sequence[Tile]]) -> Picture:
    """The rows below each other, from the left; they may differ in length and in the size of their pictures."""
    drawn = [_row(row) for row in rows]
    width = max(row.shape[1] for row in drawn)
    padded = [np.pad(row, ((0, GAP), (0, width - row.shape[1]), (0, 0)), constant_values=255) for row in drawn]
    return np.concatenate(padded)[:-GAP]


def in_columns(tiles: Sequence[Tile], columns: int) -> list[Sequence[Tile]]:
    """Rows of so many tiles each."""
    return [tiles[start : start + columns] for start in range(0, len(tiles), columns)]


def strip(frames: Picture, count: int) -> Picture:
    """Up to `count` of the frames [T, H, W, 3], from the first to the last, side by side."""
    return np.concatenate(spread(frames, count), axis=1)


def spread(frames: Picture, count: int) -> list[Picture]:
    """Up to `count` of the frames [T, H, W, 3], evenly from the first to the last."""
    shown = np.linspace(0, len(frames) - 1, min(count, len(frames))).round().astype(int)
    return [frames[index] for index in shown]


def legible(picture: Picture, shortest: int, longest: int | None = None) -> Picture:
    """At a size at which it can be seen: by a whole factor larger until its shorter side reaches `shortest`, or smaller
    until its longer side is no more than `longest`."""
    short, long = sorted(picture.shape[:2])
    if short < shortest:
        factor = -(-shortest // short)
        return picture.repeat(factor, axis=0).repeat(factor, axis=1)
    if longest is None or long <= longest:
        return picture
    size = [round(side * longest / long) for side in (picture.shape[1], picture.shape[0])]
    return np.asarray(Image.fromarray(picture).resize((size[0], size[1]), Image.Resampling.LANCZOS))


def save(rows: Iterable[Iterable[Tile]], path: Path) -> None:
    """Write a grid as a PNG; equal tiles give equal bytes."""
    with replacing(path) as temporary:
        Image.fromarray(grid([list(row) for row in rows])).save(temporary, format="PNG")


def save_moving(frames: Sequence[Image.Image], path: Path, fps: float) -> None:
    """Write pictures as an animated WebP that plays again and again."""
    with replacing(path) as temporary:
        frames[0].save(
            temporary,
            format="WEBP",
            save_all=True,
            append_images=frames[1:],
            duration=round(1000 / fps),
            loop=0,
            quality=70,
            method=4,
        )


def _row(tiles: Sequence[Tile]) -> Picture:
    label = LABEL * max((tile.lines for tile in tiles if tile.words), default=0)
    height = label + max(tile.picture.shape[0] for tile in tiles)
    width = sum(tile.picture.shape[1] + GAP for tile in tiles) - GAP
    canvas = Image.new("RGB", (width, height), "white")
    left = 0
    for tile in tiles:
        canvas.paste(Image.fromarray(tile.picture), (left, label))
        for number, line in enumerate(_wrapped(tile.words, tile.picture.shape[1], tile.lines)):
            ImageDraw.Draw(canvas).text((left, 1 + number * LABEL), line, fill=tile.colour, font=_font())
        left += tile.picture.shape[1] + GAP
    return np.asarray(canvas)


@lru_cache(maxsize=256)  # the frames of a film have the same words
def _wrapped(words: str, width: int, lines: int) -> tuple[str, ...]:
    """Up to `lines` lines of whole words; a word that is wider than a line is cut, and so is the last line."""
    left = " ".join(words.split())
    found: list[str] = []
    while left and len(found) < lines:
        fits = next(end for end in range(len(left), -1, -1) if _font().getlength(left[:end]) <= width)
        space = left[: fits + 1].rfind(" ")
        end = space if fits < len(left) and space > 0 and len(found) + 1 < lines else max(fits, 1)
        found.append(left[:end])
        left = left[end:].lstrip()
    return tuple(found)


@cache
def _font() -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which knows more scripts than Pillow's own; matplotlib brings it."""
    import matplotlib

    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), size=11)
