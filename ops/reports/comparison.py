"""Two curation runs beside each other: what each step kept, why the rest went, what it cost, and how scores moved."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, TypedDict

import numpy as np

from ops.config import RULED_SCORES
from ops.curation.runs.funnel import step_row
from ops.curation.runs.records import NAMES, Record, Run, on_same_bars
from ops.reports.figures import INK, KEPT, LIMIT, REJECTED, figure, limits_in_words, save
from ops.reports.html_page import html_page, image, text
from ops.runtime.files import replacing

STYLE = """\
th, td { text-align: right; padding: .2rem 0 .2rem 1.6rem; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
"""


class _Look(TypedDict):
    """How a run is drawn."""

    color: str
    linestyle: Literal["-", "--"]


class Difference(NamedTuple):
    """One figure of both runs. `step` is the first cell of a row, `what` a reason code, `kept`, `hours` or a cost."""

    step: str
    what: str
    first: float
    second: float

    @property
    def change(self) -> float:
        return self.second - self.first


def changed_settings(first: Run, second: Run) -> list[tuple[str, str, str]]:
    """(key below `curation`, its value in the first, in the second) of what differs in the recipe."""
    before, after = (_settings(run.record) for run in (first, second))
    return [
        (key, before.get(key, "none"), after.get(key, "none"))
        for key in sorted({*before, *after})
        if before.get(key) != after.get(key)
    ]


def differences(first: Run, second: Run) -> list[Difference]:
    """By step, in the order of the funnel: clips or images kept, hours of clips, and rejections by reason code. All
    steps of both runs are there, and all reasons that either gave."""
    before, after = ({row["step"]: row for row in run.record["funnel"]} for run in (first, second))
    out = []
    for step in dict.fromkeys([*before, *after]):
        sides = before.get(step, _NOTHING), after.get(step, _NOTHING)
        out.append(Difference(step, "kept", sides[0]["kept"], sides[1]["kept"]))
        if first.record["kind"] == "video":
            out.append(Difference(step, "hours", *((side["seconds"] or 0.0) / 3600 for side in sides)))
        for code in dict.fromkeys([*sides[0]["codes"], *sides[1]["codes"]]):
            out.append(Difference(step, code, *(side["codes"].get(code, 0) for side in sides)))
    return out


def spent_between(first: Run, second: Run) -> dict[str, dict[str, float]]:
    """{step: what the scores that were made after the first run, up to the second, have cost}."""
    before, after = first.record["costs"], second.record["costs"]
    spent = {
        step: {name: value - before.get(step, {}).get(name, 0) for name, value in cost.items()}
        for step, cost in after.items()
    }
    return {step: cost for step, cost in spent.items() if any(cost.values())}


def draw_comparison(first: Run, second: Run, path: Path) -> None:
    """PNG: every score of either run as the share of its clips or images, and the limits of the rules."""
    from matplotlib.lines import Line2D

    both = (first.record["histograms"], second.record["histograms"])
    scores = [score for score in ("seconds", *RULED_SCORES) if score in both[0] or score in both[1]]
    lines = max(1, -(-len(scores) // 3))
    drawn = figure(12, 2.5 * lines + 0.6, f"Shares of the {NAMES[first.record['kind']]} measured")
    sides: list[tuple[Run, _Look]] = [
        (first, {"color": KEPT, "linestyle": "-"}),
        (second, {"color": REJECTED, "linestyle": "--"}),
    ]
    lines_of = [Line2D([], [], label=run.name, **look) for run, look in sides]
    lines_of.append(Line2D([], [], label="limits of the rules", color=LIMIT, linewidth=1))
    drawn.legend(handles=lines_of, loc="upper right", ncols=3, frameon=False)
    grid = list(drawn.subplots(lines, 3, squeeze=False).flat)
    for axes, score in zip(grid, scores, strict=False):
        there = [(run, look) for run, look in sides if score in run.record["histograms"]]
        bars = on_same_bars([run.record["histograms"][score] for run, _ in there])
        for (run, look), found in zip(there, bars, strict=True):
            counts = np.add(found["kept"], found["rejected"])
            edges = (found["first"] + np.arange(len(counts) + 1)) * found["width"]
            axes.stairs(counts / counts.sum(), edges, linewidth=1.4, **look)
            for limit in run.record["histograms"][score]["bounds"].values():
                if edges[0] <= limit <= edges[-1]:
                    axes.axvline(limit, linewidth=1, **{**look, "color": LIMIT})
        axes.set_title(there[-1][0].record["histograms"][score]["title"], loc="left", fontsize=9, color=INK)
        limits = dict.fromkeys(limits_in_words(run.record["rules"].get(score, {})) or "no limit" for run, _ in sides)
        told = " → ".join(limits)
        axes.set_title("" if told == "no limit" else told, loc="right", fontsize=9, color=LIMIT)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in grid[len(scores) :]:
        axes.set_visible(False)
    save(drawn, path)


def comparison_page(first: Run, second: Run, path: Path) -> None:
    """One HTML file with the picture inside."""
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "scores.png"
        draw_comparison(first, second, picture)
        drawn = image(picture.read_bytes(), "png", "Scores of both runs")
    parts = [
        "<h1>Two curation runs</h1>",
        *_table(("", first.name, second.name), _about(first, second)),
        "<h2>What differs in the recipe</h2>",
        *_table(("key", first.name, second.name), changed_settings(first, second) or [("nothing", "", "")]),
        "<h2>Steps and reasons</h2>",
        *_table(
            ("step", "", first.name, second.name, "difference"), [told(each) for each in differences(first, second)]
        ),
        f"<h2>Scores</h2><div class='drawn'>{drawn}</div>",
    ]
    with replacing(path) as temporary:
        temporary.write_text(html_page("Two curation runs", parts, STYLE), encoding="utf-8")


def told(found: Difference) -> tuple[str, str, str, str, str]:
    """A difference as cells of a table."""
    form = ",.4f" if found.what == "hours" else ",.0f"
    change = f"{found.change:+{form}}" if found.change else ""
    return found.step, found.what.replace("_", " "), f"{found.first:{form}}", f"{found.second:{form}}", change


_NOTHING = step_row("video", "", (), (), 0.0)


def _settings(record: Record) -> dict[str, str]:
    rules = {
        f"rules.{score}.{bound}": f"{value:g}"
        for score, bounds in record["rules"].items()
        for bound, value in bounds.items()
    }
    return rules | {key: str(value) for key, value in record["settings"].items() if value is not None}


def _about(first: Run, second: Run) -> Iterator[tuple[str, ...]]:
    records = first.record, second.record
    yield ("time", *(each["time"] for each in records))
    yield ("preset", *(each["preset"] for each in records))
    yield ("version", *(each["version"] for each in records))
    yield (NAMES[first.record["kind"]], *(str(each["rows"]) for each in records))
    yield ("kept", *(str(each["kept"]) for each in records))


def _table(head: tuple[str, ...], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield "<div class='wide'><table><tr>" + "".join(f"<th>{text(cell)}</th>" for cell in head) + "</tr>"
    for row in rows:
        yield "<tr>" + "".join(f"<td>{text(cell)}</td>" for cell in row) + "</tr>"
    yield "</table></div>"
