"""The step `dataset_report`: the funnel, the scores, and pictures of what was kept and what was not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ops.catalogue import SCORES
from ops.curation.rules.image_rules import RATINGS
from ops.curation.timeline import seconds
from ops.reports.dataset_page import page
from ops.reports.figures import INK, REJECTED, draw_funnel, draw_histograms
from ops.reports.funnel import funnel
from ops.reports.gallery import Tile, chosen, draw_gallery, grouped
from ops.runtime import tables
from ops.runtime.files import replacing, write_json
from ops.runtime.project import Project
from ops.runtime.tables import Row, kept

FILES = (
    *("report.json", "report.md", "metrics.json"),
    *("funnel.png", "histograms.png", "samples.png", "rejected.png"),
)


def dataset_report(project: Project) -> None:
    """Write `FILES` into data/dataset_report/; metrics.json is for `dvc metrics`."""
    folder = project.data / "dataset_report"
    clips = tables.read(project.table("curated_clips"))
    images = tables.read(project.table("curated_images"))
    report = _figures(project, clips, images)
    write_json(folder / "report.json", report)
    write_json(folder / "metrics.json", metrics(report))
    with replacing(folder / "report.md") as temporary:
        temporary.write_text(page(report), encoding="utf-8")
    draw_funnel(report["funnel"], folder / "funnel.png")
    draw_histograms(project.settings, clips, images, folder / "histograms.png")
    draw_gallery(project, "Kept, with captions", _kept_tiles(project, clips, images), folder / "samples.png")
    draw_gallery(project, "Rejected, with reasons", _rejected_tiles(clips, images), folder / "rejected.png")
    _remove_others(folder)


def _figures(project: Project, clips: Sequence[Row], images: Sequence[Row]) -> dict[str, Any]:
    samples = tables.read(project.data / "training_set" / "samples.parquet")
    buckets = tables.read(project.data / "training_set" / "buckets.parquet")
    unusable = [
        {"path": row["path"], "reason": row["reason"]}
        for name in ("raw_videos", "raw_images")
        for row in tables.read(project.table(name))
        if row["rejected_by"] is not None
    ]
    return {
        "preset": project.settings.name,
        "funnel": funnel(project),
        "unusable_files": unusable,
        "buckets": buckets,
        "splits": {
            split: {
                kind: _counts([row for row in samples if (row["split"], row["kind"]) == (split, kind)])
                for kind in ("video", "image")
            }
            for split in ("train", "held_out")
        },
        "clip_seconds": _range([seconds(row) for row in kept(clips)]),
        "scores": {
            "clips": {score: _range([row[score] for row in kept(clips)]) for score in SCORES},
            "images": {score: _range([row[score] for row in kept(images)]) for score in RATINGS.values()},
        },
    }


def metrics(report: Mapping[str, Any]) -> dict[str, Any]:
    """The report in a few numbers: what was kept of videos and images, and the samples made of them."""
    last = {row["kind"]: row for row in report["funnel"]}
    found: dict[str, Any] = {}
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


def _counts(samples: Sequence[Row]) -> dict[str, int]:
    return {
        "samples": len(samples),
        "items": len({row["item_id"] for row in samples}),
        "sources": len({row["sha256"] for row in samples}),
    }


def _range(values: Sequence[float | None]) -> dict[str, float] | None:
    found = sorted(value for value in values if value is not None)
    if not found:
        return None
    middle = found[len(found) // 2]
    return {"min": round(found[0], 6), "median": round(middle, 6), "max": round(found[-1], 6)}


def _kept_tiles(project: Project, clips: Sequence[Row], images: Sequence[Row]) -> list[Tile]:
    captions = {row["item_id"]: row["caption"] for row in kept(tables.read(project.table("captions")))}
    groups = grouped(kept(clips), "source_id") | {"images": kept(images)}
    rows = chosen(groups)
    return [Tile(row, captions.get(row.get("clip_id") or row["source_id"], "no caption"), INK) for row in rows]


def _rejected_tiles(clips: Sequence[Row], images: Sequence[Row]) -> list[Tile]:
    """What has pictures to show; files that cannot be read are in the report's list."""
    rows = [row for row in (*clips, *images) if row["rejected_by"] not in (None, "raw_images")]
    return [
        Tile(row, f"{row['rejected_by']}: {row['reason']}", REJECTED) for row in chosen(grouped(rows, "rejected_by"))
    ]


def _remove_others(folder: Path) -> None:
    """Leave nothing of an earlier report beside this one."""
    for path in folder.iterdir():
        if path.name not in FILES:
            path.unlink()
