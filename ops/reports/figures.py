"""The pictures of the dataset report that show numbers: the funnel and the scores."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ops.catalogue import Bound
from ops.config import RULED_SCORES, Settings
from ops.curation.rules.image_rules import RATINGS
from ops.curation.rules.rejection import in_words, titles
from ops.curation.runs.funnel import Costs, FunnelRow
from ops.reports.score_values import ScoreValues
from ops.runtime.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.typing import RcKeyType

KEPT, REJECTED, FADED, LIMIT = "#2a6f97", "#e76f51", "#f3c6bb", "#8d0801"
INK, GREY, PALE = "#2b2d42", "#adb5bd", "#edf2f4"
STYLE: dict[RcKeyType, object] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": INK,
    "text.parse_math": False,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}
KINDS = {"video": "videos, by seconds", "image": "images", "item": "clips and images in the training set"}


def figure(width: float, height: float, title: str) -> Figure:
    """An empty figure in the report's style; sizes in inches at 110 dots each."""
    import matplotlib
    from matplotlib.figure import Figure

    matplotlib.use("Agg")
    matplotlib.rcParams.update(STYLE)
    drawn = Figure(figsize=(width, height), dpi=110, facecolor="white")
    drawn.set_layout_engine("constrained", rect=(0.01, 0.0, 0.98, 0.98))
    drawn.suptitle(title, x=0.012, ha="left", fontsize=13, fontweight="bold")
    return drawn


def save(drawn: Figure, path: Path) -> None:
    """Replace `path` by the figure; equal figures give equal bytes."""
    with replacing(path) as temporary:
        drawn.savefig(temporary, format="png", metadata={"Software": None})


def draw_funnel(rows: Sequence[FunnelRow], path: Path, costs: Costs | None = None) -> None:
    """A bar a step: what is left, what the step took, and why; with `costs` what measuring it has cost."""
    spent = costs or {}
    groups = [(title, group) for kind, title in KINDS.items() if (group := [r for r in rows if r["kind"] == kind])]
    lines = len(rows) + 1.2 * len(groups)
    drawn = figure(12, (0.42 if costs else 0.33) * lines + 0.6, "What is left after each step")
    axes = drawn.subplots()
    height, places, names = 0.0, [], []
    for title, group in groups:
        axes.text(0, height, title, va="center", color="#6c757d", fontsize=10)
        before = 1.0
        for row in group:
            height += 1
            _bar(axes, height, row, before)
            before = row["share"]
            places.append(height)
            cost = spent.get(row["kind"], {}).get(row["step"])
            names.append(row["step"].replace("_", " ") + (f"\n{cost_in_words(cost)}" if cost else ""))
        height += 1.2
    axes.set(
        yticks=places,
        yticklabels=names,
        xlim=(0, 2.1 if any(row["reasons"] for row in rows) else 1.05),
        ylim=(height - 0.6, -0.6),
        xticks=[],
    )
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    save(drawn, path)


def cost_in_words(cost: Mapping[str, float]) -> str:
    gpu = f" · {cost['gpu_seconds']:,.1f} GPU s" if cost["gpu_seconds"] else ""
    return f"{cost['cpu_seconds']:,.1f} CPU s{gpu} · {cost['bytes'] / 1e6:,.0f} MB"


def _bar(axes: Axes, place: float, row: FunnelRow, before: float) -> None:
    share = row["share"]
    for width, colour in ((1.0, PALE), (max(before, share), FADED), (share, KEPT)):
        axes.barh(place, width, color=colour, height=0.76)
    length = f" · {row['seconds']:,.0f} s" if row["seconds"] is not None else ""
    inside = share > 0.3
    axes.text(
        share + (-0.01 if inside else 0.01),
        place,
        f"{row['kept']:,}{length} · {share:.0%}",
        va="center",
        ha="right" if inside else "left",
        color="white" if inside else INK,
    )
    told = "; ".join(f"{count} × {reason}" for reason, count in row["reasons"].items())  # noqa: RUF001
    axes.text(1.02, place, textwrap.shorten(told, 92, placeholder=" …"), va="center", fontsize=8, color="#6c757d")


SERIES = {"cut_distances": "sure cut", "cut_probabilities": "cut"}
"""Scores of slices → what lies above their limit."""


@dataclass(frozen=True)
class _Score:
    title: str
    values: ScoreValues
    minimum: float | None = None
    maximum: float | None = None


def draw_histograms(settings: Settings, clips: Path, images: Path, path: Path) -> None:
    """Every score of these tables with the limits of its rule, apart for what was kept in the end and what was not."""
    from matplotlib.patches import Patch

    panels = [score for score in _scores(settings, clips, images) if score.values.range]
    columns, lines = min(3, max(1, len(panels))), max(1, -(-len(panels) // 3))
    drawn = figure(4 * columns, 2.4 * lines + 0.6, "Scores and the limits of their rules")
    meaning = {"kept in the end": KEPT, "rejected": REJECTED, "limit of the rule": LIMIT}
    drawn.legend(
        handles=[Patch(color=colour, label=label) for label, colour in meaning.items()],
        loc="upper right",
        ncols=len(meaning),
        frameon=False,
    )
    grid = list(drawn.subplots(lines, columns, squeeze=False).flat)
    for axes, score in zip(grid, panels, strict=False):
        _histogram(axes, score)
    for axes in grid[len(panels) :]:
        axes.set_visible(False)
    save(drawn, path)


def _scores(settings: Settings, clips: Path, images: Path) -> list[_Score]:
    curation, told = settings.curation, titles(settings.curation)
    changes = in_words("shots", curation)

    def ruled(score: str, table: Path, whose: str) -> _Score:
        bounds = rule.bounds if (rule := curation.rule(score)) else {}
        limits = bounds.get("minimum"), bounds.get("maximum")
        return _Score(f"{told[score]}{whose}", ScoreValues(table, score), *limits)

    def of_slices(title: str, series: str, limit: float) -> _Score:
        return _Score(title, ScoreValues(clips, series, one_of="parent"), None, limit)

    return [
        _Score("length of a clip, s", ScoreValues(clips, "seconds")),
        of_slices(f"{changes} between sampled frames", "cut_distances", curation.shots.sure_distance),
        of_slices("end of a shot, probability", "cut_probabilities", curation.shot_boundaries.probability),
        *(ruled(score, clips, "") for score in RULED_SCORES),
        *(ruled(score, images, ", images") for score in RATINGS.values()),
    ]


def limits_in_words(bounds: Mapping[Bound, float | None]) -> str:
    """Such as "≥ 0.001, ≤ 0.3"; empty without any."""
    signs: dict[Bound, str] = {"minimum": "≥", "maximum": "≤"}
    return ", ".join(
        f"{signs[bound]} {limit:g}" for bound, limit in sorted(bounds.items(), reverse=True) if limit is not None
    )


def _histogram(axes: Axes, score: _Score) -> None:
    from matplotlib.ticker import MaxNLocator

    assert score.values.range is not None
    low, high = score.values.range
    room = high - low or 1.0
    near = [limit for limit in (score.minimum, score.maximum) if limit is not None and -room < limit - low < 2 * room]
    edges = np.linspace(min([low, *near]) - room / 50, max([high, *near]) + room / 50, 28)
    inside, outside = score.values.counted(edges)
    middles, column = (edges[:-1] + edges[1:]) / 2, score.values.column
    if column in SERIES:  # belongs to a slice, of which one piece may stay and another go
        axes.hist(middles, bins=list(edges), weights=inside + outside, color="#8d99ae")
    else:
        sides, colours = [inside, outside], [KEPT, REJECTED]
        axes.hist([middles, middles], bins=list(edges), stacked=True, weights=sides, color=colours)
    axes.set_xlim(edges[0], edges[-1])
    for limit, outer in ((score.minimum, edges[0]), (score.maximum, edges[-1])):
        if limit in near:
            axes.axvspan(limit, outer, color=FADED, alpha=0.35, linewidth=0, zorder=0)
            axes.axvline(limit, color=LIMIT, linewidth=1.4)
    bounds: dict[Bound, float | None] = {"minimum": score.minimum, "maximum": score.maximum}
    axes.set_title(score.title, loc="left", fontsize=9)
    told = f"{SERIES[column]} > {score.maximum:g}" if column in SERIES else limits_in_words(bounds)
    axes.set_title(told, loc="right", fontsize=9, color=LIMIT)
    axes.spines[["top", "right"]].set_visible(False)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
