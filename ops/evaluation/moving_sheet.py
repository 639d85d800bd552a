"""Sampled videos as one small film: they play side by side on any page that shows pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ops.runtime.files import replacing
from ops.runtime.tables import Row

MOST_VIDEOS = 8
COLUMNS = 4
MOST_FRAMES = 48
SHORTEST_SIDE, LONGEST_SIDE = 128, 256
"""Smaller videos are enlarged by a whole factor, larger ones reduced: the film is to be seen, not studied."""
LABEL = 16
GAP = 4


def write_moving_sheet(path: Path, folder: Path, manifest: Sequence[Row], step: int, fps: float) -> None:
    """Write an animated WebP of the first seed of each prompt as the checkpoint of `step` sampled it."""
    from ops.runtime.mp4 import read_mp4

    first: dict[int, Row] = {}
    for row in manifest:
        if row["step"] == step:
            first.setdefault(row["prompt_index"], row)
    shown = [first[index] for index in sorted(first)][:MOST_VIDEOS]
    videos = [read_mp4(folder / row["file"]) for row in shown]
    frames = [
        _sheet([(video[min(number, len(video) - 1)], row["prompt"]) for video, row in zip(videos, shown, strict=True)])
        for number in range(min(MOST_FRAMES, max(map(len, videos))))
    ]
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


def _sheet(cells: Sequence[tuple[NDArray[np.uint8], str]]) -> Image.Image:
    tiles = [_tile(frame, prompt) for frame, prompt in cells]
    columns, (width, height) = min(COLUMNS, len(tiles)), tiles[0].size
    rows = -(-len(tiles) // columns)
    sheet = Image.new("RGB", (columns * (width + GAP) - GAP, rows * (height + GAP) - GAP), "white")
    for place, tile in enumerate(tiles):
        sheet.paste(tile, (place % columns * (width + GAP), place // columns * (height + GAP)))
    return sheet


def _tile(frame: NDArray[np.uint8], prompt: str) -> Image.Image:
    picture = Image.fromarray(frame)
    short, long = min(picture.size), max(picture.size)
    factor = -(-SHORTEST_SIDE // short) if short < SHORTEST_SIDE else min(1.0, LONGEST_SIDE / long)
    size = (round(picture.width * factor), round(picture.height * factor))
    picture = picture.resize(size, Image.Resampling.NEAREST if factor > 1 else Image.Resampling.LANCZOS)
    tile = Image.new("RGB", (picture.width, picture.height + LABEL), "white")
    tile.paste(picture, (0, LABEL))
    draw = ImageDraw.Draw(tile)
    while prompt and draw.textlength(prompt) > tile.width:
        prompt = prompt[:-1]
    draw.text((0, 2), prompt, fill="black")
    return tile
