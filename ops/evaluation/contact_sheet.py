"""Sampled videos on one page: each prompt has a column for each checkpoint, and prompts stand side by side if these are
few."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ops.runtime.files import replacing
from ops.runtime.tables import Row

FRAMES_SHOWN = 3
MOST_PROMPTS = 12
MOST_COLUMNS = 4
COLUMN_INCHES = 3.6


def write_contact_sheet(path: Path, folder: Path, manifest: list[Row]) -> None:
    """Draw the first, middle and last frame of each prompt's first seed under each checkpoint."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    steps = sorted({row["step"] for row in manifest})
    prompts = sorted({row["prompt_index"] for row in manifest})[:MOST_PROMPTS]
    beside = min(len(prompts), max(1, MOST_COLUMNS // len(steps)))
    lines, columns = -(-len(prompts) // beside), beside * len(steps)
    height, width = _strip(folder / manifest[0]["file"]).shape[:2]
    line_height = COLUMN_INCHES * height / width + 0.25
    figure = Figure(figsize=(COLUMN_INCHES * columns, line_height * lines + 0.3), layout="compressed", dpi=120)
    grid = figure.subplots(lines, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    above = {"textcoords": "offset points", "va": "bottom", "parse_math": False}
    for place, prompt in enumerate(prompts):
        line, first = place // beside, place % beside * len(steps)
        for step, axes in zip(steps, grid[line, first:], strict=False):
            row = next(row for row in manifest if row["step"] == step and row["prompt_index"] == prompt)
            axes.imshow(_strip(folder / row["file"]))
            if line == 0:
                axes.set_title(f"step {step}", fontsize=9, pad=16)
            if step == steps[0]:
                axes.annotate(row["prompt"][:60], (0, 1), xytext=(0, 3), xycoords="axes fraction", fontsize=7, **above)
    with replacing(path) as temporary:
        FigureCanvasAgg(figure).print_png(str(temporary))


def _strip(path: Path) -> NDArray[np.uint8]:
    from ops.runtime.mp4 import read_mp4

    frames = read_mp4(path)
    shown = np.linspace(0, len(frames) - 1, min(FRAMES_SHOWN, len(frames))).round().astype(int)
    return np.concatenate([frames[index] for index in shown], axis=1)
