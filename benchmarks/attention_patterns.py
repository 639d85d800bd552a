"""Draws who attends to whom, and how many hops lie between two tokens: docs/attention_patterns.png.

    python -m benchmarks.attention_patterns

The upper rows show a grid small enough to see, the distances below are those of the paper's grid (arXiv 2412.00131,
Table 2). All of it comes from the groups in `benchmarks.attention_distance`, which asks the denoiser's own
rearrangement.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.attention_distance import (
    Groups,
    average_distance,
    full_groups,
    skip_window_groups,
    skiparse_groups,
    spatial_temporal_groups,
)
from ops.reports.figures import GREY, INK, figure
from ops.runtime.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import SubFigure

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "attention_patterns.png"
SMALL_GRID, SMALL_RATIO = (4, 2, 4), 4
PAPER_GRID, RATIOS = (24, 32, 32), (2, 4, 8)
FIRST, SECOND, BOTH, FURTHER = "#2a6f97", "#e9a23b", "#1b3a4b", "#edf0f2"
LAYERS = ("one layer", "the next layer", "both in turn")
MUTED = "#6c757d"


def schemes(grid: tuple[int, int, int], k: int) -> dict[str, tuple[Groups, tuple[str, str]]]:
    """Each scheme's groups, and what its two kinds of layers are called."""
    return {
        "Full 3D": (full_groups(grid), ("every token", "every token")),
        "2+1D": (spatial_temporal_groups(grid), ("within a frame", "along time")),
        "Skip + window": (skip_window_groups(grid, k), ("single skip", f"window of {k}")),
        "Skiparse": (skiparse_groups(grid, k), ("single skip", "group skip")),
    }


def distances() -> list[tuple[str, list[tuple[str, float]]]]:
    """The rows of the paper's table: a scheme, and its average distance, for each k where there is one."""
    without = [("Full 3D", full_groups), ("2+1D", spatial_temporal_groups)]
    with_ratio = [("Skip + window", skip_window_groups), ("Skiparse", skiparse_groups)]
    rows = [(name, [("", average_distance(groups(PAPER_GRID)))]) for name, groups in without]
    for name, groups_of in with_ratio:
        rows.append((name, [(f"k = {k}", average_distance(groups_of(PAPER_GRID, k))) for k in RATIOS]))
    return rows


def draw(path: Path = PICTURE) -> None:
    whole = figure(10.4, 10.9, "Who attends to whom, and in how many hops")
    grid = whole.add_gridspec(2, 1, height_ratios=(3.0, 1.4), hspace=0.02)
    draw_patterns(whole.add_subfigure(grid[0]))
    draw_distances(whole.add_subfigure(grid[1]))
    with replacing(path) as temporary:
        whole.savefig(temporary, format="png", dpi=160, metadata={"Software": None})


def draw_patterns(part: SubFigure) -> None:
    """A column a scheme: its two kinds of layers, then which pairs are one hop apart and which two."""
    all_axes = part.subplots(len(LAYERS), 4, gridspec_kw={"hspace": 0.06, "wspace": 0.04})
    small = schemes(SMALL_GRID, SMALL_RATIO)
    for column, (name, (groups, kinds)) in enumerate(small.items()):
        first, second = (labels[:, None] == labels for labels in (groups[0], groups[-1]))
        show(all_axes[0, column], first * 1, kinds[0])
        show(all_axes[1, column], second * 2, kinds[1])
        show(all_axes[2, column], first * 1 + second * 2, f"{average_distance(groups):.2f} hops on average")
        all_axes[0, column].set_title(name, fontsize=12, fontweight="bold", pad=9)
    for row, label in enumerate(LAYERS):
        all_axes[row, 0].set_ylabel(label, fontsize=10, labelpad=8)
    tokens = int(np.prod(SMALL_GRID))
    part.supxlabel(
        f"{tokens} tokens of {SMALL_GRID[0]} frames, k = {SMALL_RATIO}: a row is a token that looks, a column one that "
        "is seen",
        fontsize=9,
        color=MUTED,
    )


def show(axes: Axes, picture: np.ndarray, below: str) -> None:
    """A matrix of pairs: 0 further than one hop, 1 in the first kind of layer, 2 in the second, 3 in both."""
    from matplotlib.colors import ListedColormap

    size = len(picture)
    axes.imshow(picture, cmap=ListedColormap([FURTHER, FIRST, SECOND, BOTH]), vmin=0, vmax=3, interpolation="nearest")
    axes.set_xticks(np.arange(size + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(size + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=0.45)
    axes.tick_params(which="both", length=0, labelbottom=False, labelleft=False)
    axes.spines[:].set_visible(False)
    axes.set_xlabel(below, fontsize=9, labelpad=4)


def draw_distances(part: SubFigure) -> None:
    """The colours explained, and a line a scheme from 1 hop to its average."""
    from matplotlib.patches import Patch

    axes = part.subplots()
    rows = distances()
    for height, (name, values) in enumerate(rows):
        far = max(value for _, value in values)
        highlighted = name == "Skiparse"
        axes.plot([1, far], [height, height], color=FIRST if highlighted else GREY, linewidth=2, zorder=1)
        for label, value in values:
            axes.scatter(value, height, s=52, color=FIRST if highlighted else MUTED, zorder=2)
            note(axes, (value, height), three_places(value), 8, fontsize=9)
            note(axes, (value, height), label, -14, fontsize=8, color=MUTED)
    axes.set_yticks(range(len(rows)), [name for name, _ in rows], fontsize=10)
    axes.set_ylim(len(rows) - 0.4, -0.7)
    axes.set_xlim(0.97, 2.03)
    axes.set_xticks([1, 1.25, 1.5, 1.75, 2], ["1 hop", "1.25", "1.5", "1.75", "2 hops"])
    axes.tick_params(length=0)
    axes.grid(axis="x", color=FURTHER, linewidth=1)
    axes.set_axisbelow(True)
    axes.spines[:].set_visible(False)
    tokens = int(np.prod(PAPER_GRID))
    axes.set_title(
        f"average over all pairs of {tokens:,} tokens, {' x '.join(map(str, PAPER_GRID))}",
        loc="left",
        fontsize=10,
        color=INK,
    )
    names = ("one hop, by the one layer", "one hop, by the next", "one hop, by either", "two hops")
    colours = (FIRST, SECOND, BOTH, FURTHER)
    part.legend(
        handles=[Patch(color=colour, label=name) for colour, name in zip(colours, names, strict=True)],
        loc="outside upper center",
        ncols=4,
        frameon=False,
        fontsize=9,
        handlelength=1.1,
        handleheight=1.1,
    )


def note(axes: Axes, place: tuple[float, float], text: str, above: int, **style: Any) -> None:
    axes.annotate(text, place, (0, above), textcoords="offset points", ha="center", **style)


def three_places(value: float) -> str:
    """Halves are rounded up, as the paper has it: 1.5625 is 1.563."""
    return str(Decimal(value).quantize(Decimal("0.001"), ROUND_HALF_UP))


if __name__ == "__main__":
    draw()
    print(f"wrote {PICTURE.relative_to(Path.cwd()) if PICTURE.is_relative_to(Path.cwd()) else PICTURE}")
