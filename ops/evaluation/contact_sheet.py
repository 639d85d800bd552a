"""Sampled videos on one page: each prompt has a column for each checkpoint, and prompts stand side by side if these are
few."""

from __future__ import annotations

from pathlib import Path

from ops.runtime import frame_grid
from ops.runtime.frame_grid import Tile
from ops.runtime.tables import Row

FRAMES_SHOWN = 3
MOST_PROMPTS = 12
MOST_COLUMNS = 4
LINES = 2
"""Of words above a tile."""
SHORTEST_SIDE, LONGEST_SIDE = 64, 480
"""Of a tile, which is the shown frames side by side."""


def write_contact_sheet(path: Path, folder: Path, manifest: list[Row]) -> None:
    """Draw the first, middle and last frame of each prompt's first seed under each checkpoint."""
    from ops.runtime.mp4 import read_mp4

    first: dict[tuple[int, int], Row] = {}
    for row in manifest:
        first.setdefault((row["prompt_index"], row["step"]), row)
    prompts = sorted({prompt for prompt, _ in first})[:MOST_PROMPTS]
    steps = sorted({step for _, step in first})
    tiles = []
    for row in (first[prompt, step] for prompt in prompts for step in steps):
        shown = frame_grid.strip(read_mp4(folder / row["file"]), FRAMES_SHOWN)
        words = f"step {row['step']}: {row['prompt']}"
        tiles.append(Tile(frame_grid.legible(shown, SHORTEST_SIDE, LONGEST_SIDE), words, lines=LINES))
    beside = min(len(prompts), max(1, MOST_COLUMNS // len(steps)))
    frame_grid.save(frame_grid.in_columns(tiles, beside * len(steps)), path)
