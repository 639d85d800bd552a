"""What each curation run came to: one JSON file a run, small enough to be kept for ever and made to be compared."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ops.config import RULED_SCORES, Curation
from ops.curation.audit.session import TABLE, table_version
from ops.curation.rules.rejection import titles
from ops.data import tables
from ops.data.funnel import clip_funnel, costs, lengths
from ops.runtime.files import write_json
from ops.runtime.project import Project

FORM = 1
"""Of a record; raised when its keys change their meaning."""
MOST_BARS = 64
SECTIONS = ("clips", "sampling", "shots", "text_crop", "aesthetics", "technical_quality", "near_duplicates")
"""Of the recipe's `curation`: what decides about clips, besides its rules."""


class UnknownRun(LookupError):
    """A name that no run, or more than one, has; the message lists them."""


@dataclass(frozen=True)
class Run:
    """`record` is as `write_record` describes it."""

    name: str
    record: dict[str, Any]


def write_record(project: Project) -> Path | None:
    """Write var/curation_runs/TIME-VERSION.json about the table `curated_clips` as it lies there. None without videos,
    and where `raw_videos` and `clips`, with which the funnel begins, are not here (only later tables were pulled).

    Keys: `time` (UTC), `preset`, `version` (DVC's hash of the table), `clips` and `kept`, `rules`, `scorers`,
    `settings` ({key below `curation`: value} of `SECTIONS`; runs of earlier versions have none), `funnel` (the rows of
    `clip_funnel`), `costs` (`ops.data.funnel.costs`: all that was ever spent, so that the difference of two runs is
    what came between them) and `histograms` ({score: `histogram`, with its title and bounds}).
    """
    if not all(project.table(name).is_file() for name in ("raw_videos", "clips")):
        return None
    rows = clip_funnel(project)
    if not rows:
        return None
    curation, path = project.settings.curation, project.table(TABLE)
    now, version = datetime.now(UTC), table_version(path)
    table = tables.read_columns(path, ["rejected_by", "start_frame", "end_frame", "fps", *RULED_SCORES])
    record = {
        "form": FORM,
        "time": now.isoformat(timespec="seconds"),
        "preset": project.settings.name,
        "version": version,
        "clips": len(table),
        "kept": table["rejected_by"].null_count,
        "rules": {rule.score: rule.bounds for rule in curation.rules},
        "scorers": {step: getattr(curation, step).scorer for step in ("shots", "text_crop", "aesthetics")}
        | {"technical_quality": curation.technical_quality.scorer},
        "settings": _settings(curation),
        "funnel": rows,
        "costs": costs(project),
        "histograms": _histograms(project, table),
    }
    found = folder(project) / f"{now:%Y%m%d-%H%M%S-%f}-{version[:8]}.json"
    write_json(found, record)
    return found


def folder(project: Project) -> Path:
    return project.var / "curation_runs"


def runs(project: Project) -> list[Run]:
    """All of them, the oldest first."""
    files = sorted(folder(project).glob("*.json"))
    return [Run(file.stem, json.loads(file.read_text())) for file in files]


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


def last_two(project: Project) -> tuple[Run, Run]:
    """The two latest runs.

    Raises:
        UnknownRun: there are fewer.
    """
    known = runs(project)
    if len(known) < 2:
        raise UnknownRun(f"{folder(project)} holds {len(known)} curation runs: two are needed to compare")
    return known[-2], known[-1]


def histogram(kept: np.ndarray, rejected: np.ndarray) -> dict[str, Any] | None:
    """Counts in bars of equal width: bar k is [(first + k)·width, (first + k + 1)·width). None without values.

    The width is a power of two and bars begin at its multiples, so any two histograms can be brought to the same bars.
    """
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


def on_same_bars(histograms: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The histograms with the coarsest of their widths, from the lowest to the highest of their bars."""
    width = max(each["width"] for each in histograms)
    coarse = [_coarser(each, round(width / each["width"]), width) for each in histograms]
    first = min(each["first"] for each in coarse)
    last = max(each["first"] + len(each["kept"]) for each in coarse)
    return [_padded(each, first, last) for each in coarse]


def _coarser(found: dict[str, Any], times: int, width: float) -> dict[str, Any]:
    first = found["first"] // times
    out: dict[str, Any] = {"width": width, "first": first}
    for side in ("kept", "rejected"):
        bars = (found["first"] + np.arange(len(found[side]))) // times - first
        out[side] = np.bincount(bars, weights=found[side]).astype(int).tolist()
    return out


def _padded(found: dict[str, Any], first: int, last: int) -> dict[str, Any]:
    before, after = found["first"] - first, last - found["first"] - len(found["kept"])
    sides = {side: [0] * before + found[side] + [0] * after for side in ("kept", "rejected")}
    return {"width": found["width"], "first": first, **sides}


def _settings(curation: Curation) -> dict[str, Any]:
    tree = curation.model_dump(mode="json", include={*SECTIONS, "exclude_licences"})
    licences = tree.pop("exclude_licences")
    return {
        **{f"{section}.{key}": value for section, values in tree.items() for key, value in values.items()},
        "exclude_licences": ", ".join(licences) or None,
    }


def _histograms(project: Project, table: pa.Table) -> dict[str, Any]:
    curation = project.settings.curation
    kept = pc.is_null(table["rejected_by"]).to_numpy()
    table = table.append_column("seconds", pa.array(lengths(table)))
    told = {"seconds": "length of a clip, s", **titles(curation)}
    found = {}
    for score, title in told.items():
        values = pc.fill_null(table[score], np.nan).to_numpy()
        there = ~np.isnan(values)
        bars = histogram(values[kept & there], values[~kept & there])
        if bars is not None:
            rule = curation.rule(score)
            found[score] = {**bars, "title": title, "bounds": rule.bounds if rule else {}}
    return found
