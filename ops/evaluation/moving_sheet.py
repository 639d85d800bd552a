"""Sampled videos as one small film: they play side by side on any page that shows pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from ops.generation.preview import LONGEST_SIDE, MOST_FRAMES, SHORTEST_SIDE
from ops.runtime import frame_grid
from ops.runtime.frame_grid import Tile
from ops.runtime.tables import Row

MOST_VIDEOS = 8
COLUMNS = 4
LINES = 2
"""Of words above a video."""


def write_moving_sheet(path: Path, folder: Path, manifest: Sequence[Row], step: int, fps: float) -> None:
    """Write an animated WebP of the first seed of each prompt as the checkpoint of `step` sampled it."""
    from ops.runtime.mp4 import read_mp4

    first: dict[int, Row] = {}
    for row in manifest:
        if row["step"] == step:
            first.setdefault(row["prompt_index"], row)
    shown = [first[index] for index in sorted(first)][:MOST_VIDEOS]
    videos = [read_mp4(folder / row["file"]) for row in shown]
    frames = []
    for number in range(min(MOST_FRAMES, max(map(len, videos)))):
        pictures = [video[min(number, len(video) - 1)] for video in videos]
        tiles = [
            Tile(frame_grid.legible(picture, SHORTEST_SIDE, LONGEST_SIDE), row["prompt"], lines=LINES)
            for picture, row in zip(pictures, shown, strict=True)
        ]
        frames.append(Image.fromarray(frame_grid.grid(frame_grid.in_columns(tiles, COLUMNS))))
    frame_grid.save_moving(frames, path, fps)
