"""What each curation run came to: one JSON file a run, small enough to be kept for ever and made to be compared."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, TypedDict

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ops.catalogue import MEASUREMENTS_OF_CLIPS, Bound, Kind
from ops.config import RULED_SCORES, Curation
from ops.curation.audit.session import table_version
from ops.curation.rules.image_rules import RATINGS
from ops.curation.rules.rejection import titles
from ops.curation.runs.funnel import FunnelRow, clip_funnel, costs, image_funnel, lengths
from ops.runtime import tables
from ops.runtime.files import write_json
from ops.runtime.project import Project

FORM = 2
"""Of a record; raised when its keys change their meaning. Records of other forms are left alone and never read."""
MOST_BARS = 64
NAMES: dict[Kind, str] = {"video": "clips", "image": "images"}
"""Of what a record of a kind counts."""


class Bars(TypedDict):
    """Counts in bars of equal width: bar k is [(first + k)·width, (first + k + 1)·width)."""

    width: float
    first: int
    kept: list[int]
    rejected: list[int]


class Histogram(Bars):
    """Of a score, with what it is called and the bounds of its rule."""

    title: str
    bounds: dict[Bound, float]


class Record(TypedDict):
    """What is kept of a run."""

    form: int
    kind: Kind
    time: str
    """UTC."""
    preset: str
    version: str
    """DVC's hash of the table."""
    rows: int
    kept: int
    rules: dict[str, dict[Bound, float]]
    """By score."""
    settings: dict[str, object]
    """By key below `curation`."""
    funnel: list[FunnelRow]
    costs: dict[str, dict[str, float]]
    """Of this kind: all that was ever spent, so that the difference of two runs is what came between them."""
    histograms: dict[str, Histogram]
    """By score."""


class _Subject(NamedTuple):
    """What records of one kind are about."""

    table: str
    made_from: tuple[str, ...]
    """The tables with which its funnel begins."""
    funnel: Callable[[Project], list[FunnelRow]]
    scores: tuple[str, ...]
    span: tuple[str, ...]
    """The columns that say how long a row lasts; nothing where rows have no length."""
    settings: Mapping[str, bool | set[str]]
    """Of the recipe's `curation`, sections or keys of them: what decides, besides its rules."""


_SECTIONS = tuple(dict.fromkeys(each.section for each in MEASUREMENTS_OF_CLIPS if each.section))
_SUBJECTS: dict[Kind, _Subject] = {
    "video": _Subject(
        table="curated_clips",
        made_from=("raw_videos", "clips"),
        funnel=clip_funnel,
        scores=tuple(RULED_SCORES),
        span=("start_frame", "end_frame", "fps", "seconds"),
        settings={
            **dict.fromkeys(("clips", "sampling", *_SECTIONS), True),
            **dict.fromkeys(("exclude_licences", "exclude_videos", "exclude"), True),
        },
    ),
    "image": _Subject(
        table="curated_images",
        made_from=("raw_images",),
        funnel=image_funnel,
        scores=tuple(RATINGS.values()),
        span=(),
        settings={
            "images": True,
            "sampling": {"short_side"},
            **{step: {"enabled", "scorer"} for step in RATINGS},
            "near_duplicates": {"enabled", "scorer", "max_distance"},
            "exclude_licences": True,
            "exclude": True,
        },
    ),
}


class UnknownRun(LookupError):
    """A name that no run, or more than one, has; the message lists them."""


@dataclass(frozen=True)
class Run:
    name: str
    record: Record


def write_record(project: Project, kind: Kind) -> Path | None:
    """Write var/curation_runs/TIME-VERSION.json about the table `curated_clips` or `curated_images` as it lies there.
    None without videos or images, and where the tables with which the funnel begins are not here (only later ones were
    pulled)."""
    subject = _SUBJECTS[kind]
    if not all(project.table(name).is_file() for name in subject.made_from):
        return None
    rows = subject.funnel(project)
    if not rows:
        return None
    curation, path = project.settings.curation, project.table(subject.table)
    now, version = datetime.now(UTC), table_version(path)
    table = tables.read_columns(path, ["rejected_by", *subject.span, *subject.scores])
    record: Record = {
        "form": FORM,
        "kind": kind,
        "time": now.isoformat(timespec="seconds"),
        "preset": project.settings.name,
        "version": version,
        "rows": len(table),
        "kept": table["rejected_by"].null_count,
        "rules": {rule.score: rule.bounds for rule in curation.rules if rule.score in subject.scores},
        "settings": _settings(curation, subject),
        "funnel": rows,
        "costs": costs(project)[kind],
        "histograms": _histograms(curation, subject, table),
    }
    found = folder(project) / f"{now:%Y%m%d-%H%M%S-%f}-{version[:8]}.json"
    write_json(found, record)
    return found


def folder(project: Project) -> Path:
    return project.var / "curation_runs"


def runs(project: Project, kind: Kind | None = None) -> list[Run]:
    """All of them, or those of a kind, the oldest first."""
    found = [
        Run(file.stem, json.loads(file.read_text(encoding="utf-8"))) for file in sorted(folder(project).glob("*.json"))
    ]
    return [each for each in found if each.record["form"] == FORM and kind in (None, each.record["kind"])]


def run(project: Project, name: str) -> Run:
    """The run of this name, or the latest of this version; the beginning of either is enough.

    Raises:
        UnknownRun: there is none, or more than one version begins so.
    """
    known = runs(project)
    found = [each for each in known if each.name.startswith(name) or each.record["version"].startswith(name)]
    if not found or len({each.record["version"] for each in found}) > 1:
        told = ", ".join(each.name for each in known) or "none yet; run the curation first"
        raise UnknownRun(f"{'more than one run begins' if found else 'no run begins'} with '{name}'; there are: {told}")
    return found[-1]


def two_runs(project: Project, first: str | None, second: str | None, kind: Kind) -> tuple[Run, Run]:
    """Two runs of one kind: those named, or the one named and the last of its kind, or the two last of `kind`.

    Raises:
        UnknownRun: one of them is not there, or they are of two kinds.
    """
    if first is None:
        known = runs(project, kind)
        if len(known) < 2:
            number = f"{len(known)} of the two runs of {NAMES[kind]}"
            raise UnknownRun(f"{folder(project)} holds {number} that a comparison needs; run the curation first")
        return known[-2], known[-1]
    before = run(project, first)
    after = run(project, second) if second else runs(project, before.record["kind"])[-1]
    if before.record["kind"] != after.record["kind"]:
        kinds = [f"{each.name} is of {NAMES[each.record['kind']]}" for each in (before, after)]
        raise UnknownRun(f"{' and '.join(kinds)}: only runs of one kind can be compared")
    return before, after


def histogram(kept: np.ndarray, rejected: np.ndarray) -> Bars | None:
    """None without values. The width is a power of two and bars begin at its multiples, so any two histograms can be
    brought to the same bars."""
    values = np.concatenate([kept, rejected])
    if not len(values):
        return None
    low, high = float(values.min()), float(values.max())
    room = (high - low) or max(abs(high), 1.0) / 16
    width = 2.0 ** np.ceil(np.log2(room / (MOST_BARS - 1)))
    first, last = int(np.floor(low / width)), int(np.floor(high / width))
    counts = [
        np.bincount((np.floor(each / width) - first).astype(int), minlength=last - first + 1)
        for each in (kept, rejected)
    ]
    return {"width": float(width), "first": first, "kept": counts[0].tolist(), "rejected": counts[1].tolist()}


def on_same_bars(histograms: Sequence[Bars]) -> list[Bars]:
    """The histograms with the coarsest of their widths, from the lowest to the highest of their bars."""
    width = max(each["width"] for each in histograms)
    coarse = [_coarser(each, round(width / each["width"]), width) for each in histograms]
    first = min(each["first"] for each in coarse)
    last = max(each["first"] + len(each["kept"]) for each in coarse)
    return [_padded(each, first, last) for each in coarse]


def _coarser(found: Bars, times: int, width: float) -> Bars:
    first = found["first"] // times

    def together(counts: Sequence[int]) -> list[int]:
        bars = (found["first"] + np.arange(len(counts))) // times - first
        added: list[int] = np.bincount(bars, weights=counts).astype(int).tolist()
        return added

    return {"width": width, "first": first, "kept": together(found["kept"]), "rejected": together(found["rejected"])}


def _padded(found: Bars, first: int, last: int) -> Bars:
    before, after = [0] * (found["first"] - first), [0] * (last - found["first"] - len(found["kept"]))
    kept, rejected = ([*before, *counts, *after] for counts in (found["kept"], found["rejected"]))
    return {"width": found["width"], "first": first, "kept": kept, "rejected": rejected}


def _settings(curation: Curation, subject: _Subject) -> dict[str, object]:
    tree = curation.model_dump(mode="json", include=subject.settings)
    for key in ("exclude_licences", "exclude_videos"):
        if key in tree:
            tree[key] = ", ".join(tree[key]) or None
    return dict(_leaves(tree))


def _leaves(tree: Mapping[str, object], above: str = "") -> Iterator[tuple[str, object]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _histograms(curation: Curation, subject: _Subject, table: pa.Table) -> dict[str, Histogram]:
    kept = pc.is_null(table["rejected_by"]).to_numpy()
    words = titles(curation)
    told = {score: words[score] for score in subject.scores}
    if subject.span:
        place = table.column_names.index("seconds")
        table = table.set_column(place, "seconds", pa.array(lengths(table)))
        told = {"seconds": "length of a clip, s", **told}
    found: dict[str, Histogram] = {}
    for score, title in told.items():
        values = pc.fill_null(table[score], np.nan).to_numpy()
        there = ~np.isnan(values)
        bars = histogram(values[kept & there], values[~kept & there])
        if bars is not None:
            rule = curation.rule(score)
            found[score] = {**bars, "title": title, "bounds": rule.bounds if rule else {}}
    return found
