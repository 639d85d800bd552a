"""Curves of a training, each in a panel of its own, on one picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ops.reports.figures import GREY, KEPT, LIMIT, REJECTED, figure, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = 4
WIDTH, HEIGHT = 3.6, 2.3
"""Inches of a panel."""
MOST_POINTS = 500
"""Of a longer curve, the mean and the range of so many pieces are drawn."""


@dataclass(frozen=True)
class Curve:
    title: str
    steps: Sequence[float]
    """Ascending."""
    values: Sequence[float]


def draw_curves(title: str, curves: Sequence[Curve], path: Path, mark: int | None = None) -> None:
    """Write a PNG with a panel for each curve, on one scale of steps; `mark` is a step to be seen in all of them."""
    columns, rows = min(COLUMNS, len(curves)), -(-len(curves) // COLUMNS)
    drawn = figure(WIDTH * columns, HEIGHT * rows + 0.5, title)
    panels = list(drawn.subplots(rows, columns, squeeze=False, sharex=True).flat)
    for axes, curve in zip(panels, curves, strict=False):
        _draw(axes, curve, mark)
    for axes in panels[len(curves) :]:
        axes.set_visible(False)
    save(drawn, path)


def _draw(axes: Axes, curve: Curve, mark: int | None) -> None:
    steps, low, mean, high = pieces(curve)
    if len(steps) < len(curve.steps):
        axes.fill_between(steps, low, high, color=REJECTED, alpha=0.6, linewidth=0.8)
    axes.plot(steps, mean, color=KEPT, linewidth=1.1, marker="." if len(steps) == 1 else None)
    if mark is not None:
        axes.axvline(mark, color=LIMIT, linewidth=0.9, linestyle="--")
    axes.set_title(curve.title, loc="left", fontsize=9)
    axes.grid(color=GREY, alpha=0.3, linewidth=0.5)
    axes.tick_params(labelbottom=True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.locator_params(axis="x", nbins=5, integer=True)


def pieces(curve: Curve) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(step, lowest, mean, highest) of `MOST_POINTS` pieces of a curve, or of each of its points if it has no more."""
    count = min(MOST_POINTS, len(curve.steps))
    parts = [np.asarray(part, dtype=np.float64) for part in np.array_split(curve.values, count)]
    steps = [float(np.mean(part)) for part in np.array_split(curve.steps, count)]
    low, mean, high = (np.array([of(part) for part in parts]) for of in (np.min, np.mean, np.max))
    return np.array(steps), low, mean, high
