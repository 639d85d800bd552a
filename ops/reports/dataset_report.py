"""The step `dataset_report`: the funnel, the scores, and pictures of what was kept and what was not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ops.catalogue import SCORES
from ops.curation.rules.decisions import still_in
from ops.curation.rules.image_rules import RATINGS
from ops.reports.dataset_page import Counts, Report, page
from ops.reports.figures import INK, REJECTED, draw_funnel, draw_histograms
from ops.reports.funnel import funnel
from ops.reports.gallery import MOST, Tile, chosen, draw_gallery, first_of_groups
from ops.reports.score_values import ScoreValues
from ops.runtime import tables
from ops.runtime.files import replacing, write_json
from ops.runtime.project import Project
from ops.runtime.tables import Row

CURATED = ("curated_clips", "curated_images")
Place = tuple[str, int]
"""A table, and the number of a row in it."""
FILES = (
    *("report.json", "report.md", "metrics.json"),
    *("funnel.png", "histograms.png", "samples.png", "rejected.png"),
)


def dataset_report(project: Project) -> None:
    """Write `FILES` into data/dataset_report/; metrics.json is for `dvc metrics`."""
    folder = project.data / "dataset_report"
    clips, images = (project.table(name) for name in CURATED)
    report = _figures(project)
    write_json(folder / "report.json", report)
    write_json(folder / "metrics.json", metrics(report))
    with replacing(folder / "report.md") as temporary:
        temporary.write_text(page(report), encoding="utf-8")
    draw_funnel(report["funnel"], folder / "funnel.png")
    draw_histograms(project.settings, clips, images, folder / "histograms.png")
    draw_gallery(project, "Kept, with captions", _kept_tiles(project), folder / "samples.png")
    draw_gallery(project, "Rejected, with reasons", _rejected_tiles(project), folder / "rejected.png")
    _remove_others(folder)


def _figures(project: Project) -> Report:
    folder = project.data / "training_set"
    clips, images = (project.table(name) for name in CURATED)
    samples = tables.read_columns(folder / "samples.parquet", ["split", "kind", "item_id", "sha256"])
    return {
        "preset": project.settings.name,
        "funnel": funnel(project),
        "unusable_files": [row for name in ("raw_videos", "raw_images") for row in _unusable(project.table(name))],
        "buckets": tables.read(folder / "buckets.parquet"),
        "splits": {
            split: {kind: _counts(samples, split, kind) for kind in ("video", "image")}
            for split in ("train", "held_out")
        },
        "clip_seconds": _range(clips, "seconds"),
        "scores": {
            "clips": {score: _range(clips, score) for score in SCORES},
            "images": {score: _range(images, score) for score in RATINGS.values()},
        },
    }


def _unusable(path: Path) -> list[Row]:
    table = tables.read_columns(path, ["path", "reason", "rejected_by"])
    rows: list[Row] = table.filter(pc.is_valid(table["rejected_by"])).select(["path", "reason"]).to_pylist()
    return rows


def metrics(report: Report) -> dict[str, object]:
    """The report in a few numbers: what was kept of videos and images, and the samples made of them."""
    last = {row["kind"]: row for row in report["funnel"]}
    found: dict[str, object] = {}
    for kind, row in last.items():
        found[{"video": "clips", "image": "images", "item": "items"}[kind]] = {
            "kept": row["kept"],
            "share": round(row["share"], 6),
            **({"seconds": round(row["seconds"], 3)} if row["seconds"] is not None else {}),
        }
    found["samples"] = {
        split: {kind: counts["samples"] for kind, counts in kinds.items()} for split, kinds in report["splits"].items()
    }
    return {**found, "unusable_files": len(report["unusable_files"])}


def _counts(samples: pa.Table, split: str, kind: str) -> Counts:
    members = samples.filter(pc.and_(pc.equal(samples["split"], split), pc.equal(samples["kind"], kind)))
    items, sources = (len(pc.unique(members[name].cast(pa.string()))) for name in ("item_id", "sha256"))
    return {"samples": len(members), "items": items, "sources": sources}


def _range(table: Path, score: str) -> dict[str, float] | None:
    """Of what was kept."""
    found = ScoreValues(table, score).of_kept()
    if not len(found):
        return None
    middle = np.partition(found, len(found) // 2)[len(found) // 2]
    told = {"min": found.min(), "median": middle, "max": found.max()}
    return {name: round(float(value), 6) for name, value in told.items()}


def _kept_tiles(project: Project) -> list[Tile]:
    clips, images = (_verdicts(project, name) for name in CURATED)
    groups = first_of_groups(clips, "source_id", still_in(clips))
    of_images = np.flatnonzero(still_in(images))[:MOST].tolist()
    found = chosen({**_places("curated_clips", groups), "images": [("curated_images", row) for row in of_images]})
    rows = _rows(project, found)
    captions = _captions(project, [row.get("clip_id") or row["source_id"] for row in rows])
    return [Tile(row, captions.get(row.get("clip_id") or row["source_id"], "no caption"), INK) for row in rows]


def _rejected_tiles(project: Project) -> list[Tile]:
    """What has pictures to show; files that cannot be read are in the report's list."""
    groups: dict[str, list[Place]] = {}
    for name in CURATED:
        table = _verdicts(project, name)
        shown = ~still_in(table) & ~pc.fill_null(pc.equal(table["rejected_by"], "raw_images"), False).to_numpy()
        for step, places in _places(name, first_of_groups(table, "rejected_by", shown)).items():
            groups.setdefault(step, []).extend(places)
    rows = _rows(project, chosen(groups))
    return [Tile(row, f"{row['rejected_by']}: {row['reason']}", REJECTED) for row in rows]


def _verdicts(project: Project, name: str) -> pa.Table:
    return tables.read_columns(project.table(name), ["source_id", "rejected_by"])


def _places(name: str, groups: Mapping[str, Sequence[int]]) -> dict[str, list[Place]]:
    return {group: [(name, row) for row in rows] for group, rows in groups.items()}


def _rows(project: Project, places: Sequence[Place]) -> list[Row]:
    found: dict[Place, Row] = {}
    for name in CURATED:
        here = [row for of, row in places if of == name]
        rows = tables.rows_at(project.table(name), here)
        found |= {(name, number): row for number, row in zip(here, rows, strict=True)}
    return [found[place] for place in places]


def _captions(project: Project, items: Sequence[str]) -> dict[str, str]:
    path = project.table("captions")
    table = tables.read_columns(path, ["item_id", "rejected_by"])
    there = pc.is_in(table["item_id"], value_set=pa.array(items, pa.string())).to_numpy()
    rows = tables.rows_at(path, np.flatnonzero(there & still_in(table)).tolist())
    return {row["item_id"]: row["caption"] for row in rows}


def _remove_others(folder: Path) -> None:
    """Leave nothing of an earlier report beside this one."""
    for path in folder.iterdir():
        if path.name not in FILES:
            path.unlink()
