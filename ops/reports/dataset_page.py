"""The dataset report as one Markdown page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

from ops.curation.runs.funnel import FunnelRow
from ops.runtime.tables import Row


class Counts(TypedDict):
    """Of a kind in a split."""

    samples: int
    items: int
    sources: int


class Report(TypedDict):
    """What `report.json` holds."""

    preset: str
    funnel: list[FunnelRow]
    unusable_files: list[Row]
    """Path and reason of each."""
    buckets: list[Row]
    """The table of buckets."""
    splits: dict[str, dict[str, Counts]]
    """Split → kind → counts."""
    clip_seconds: dict[str, float] | None
    """Least, median and most, of the clips that were kept."""
    scores: dict[str, dict[str, dict[str, float] | None]]
    """`clips` or `images` → score → the same."""


def page(report: Report) -> str:
    lines = [
        f"# Dataset report, preset {report['preset']}",
        "",
        "![funnel](funnel.png)",
        "",
        "| | step | kept | rejected | share | seconds | fell out because |",
        "| --- | --- | ---: | ---: | ---: | ---: | --- |",
        *map(_step, report["funnel"]),
        "",
        *_splits(report["splits"]),
        "",
        *_buckets(report["buckets"]),
        "",
        "![scores](histograms.png)",
        "",
        "![kept](samples.png)",
        "",
        "![rejected](rejected.png)",
    ]
    if report["unusable_files"]:
        lines += ["", "| file that cannot be used | reason |", "| --- | --- |"]
        lines += [f"| `{_cell(file['path'])}` | {_cell(file['reason'])} |" for file in report["unusable_files"]]
    return "\n".join(lines) + "\n"


def _step(row: FunnelRow) -> str:
    reasons = "; ".join(f"{count}: {reason}" for reason, count in row["reasons"].items())
    length = "" if row["seconds"] is None else f"{row['seconds']:.1f}"
    cells = (
        row["kind"],
        row["step"],
        row["kept"],
        row["rejected"],
        f"{row['share']:.0%}",
        length,
        _cell(reasons),
    )
    return f"| {' | '.join(map(str, cells))} |"


def _splits(splits: Mapping[str, Mapping[str, Counts]]) -> list[str]:
    lines = ["| split | kind | samples | items | sources |", "| --- | --- | ---: | ---: | ---: |"]
    for split, kinds in splits.items():
        for kind, counts in kinds.items():
            lines.append(f"| {split} | {kind} | {counts['samples']} | {counts['items']} | {counts['sources']} |")
    return lines


def _buckets(buckets: Sequence[Row]) -> list[str]:
    lines = [
        "| bucket | kind | split | samples | enlarged | of the picture kept |",
        "| --- | --- | --- | ---: | ---: | ---: |",
    ]
    for row in buckets:
        if row["bucket"] is None:
            lines.append(f"| none | {row['kind']} | | {row['items']} items dropped: {_cell(row['reason'])} | | |")
        else:
            kept = f"{row['kept_share']:.0%}"
            cells = (row["bucket"], row["kind"], row["split"], row["samples"], row["enlarged"], kept)
            lines.append(f"| {' | '.join(map(str, cells))} |")
    return lines


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
