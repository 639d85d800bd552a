"""The `vbench` asset: every dimension of every sampled checkpoint, as a score or as a row that says what it needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from ops import weights
from ops.evaluation.bootstrap import mean_interval
from ops.evaluation.vbench.dimensions import DIMENSIONS, Dimension
from ops.evaluation.vbench.totals import IncompleteScores, totals
from ops.runtime import tables
from ops.runtime.artifacts import Artifact, Work, current
from ops.runtime.files import digest
from ops.runtime.progress import Progress
from ops.runtime.project import Project
from ops.runtime.tables import Row

ASSET = "vbench"
NATIVE = "temporal_flickering"
STATIC_FILTER_NOTE = (
    "without the static filter, which needs raft: videos with motion score lower than in the official protocol"
)

VIDEOS = pa.schema([("step", pa.int64()), ("file", pa.string()), ("dimension", pa.string()), ("score", pa.float64())])
SCORES = pa.schema(
    [
        ("step", pa.int64()),
        ("dimension", pa.string()),
        ("group", pa.string()),
        ("score", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("videos", pa.int64()),
        ("reason", pa.string()),
        ("note", pa.string()),
    ]
)


def score(project: Project) -> Artifact:
    """Score the current samples.

    Results: `scores` (one row for each checkpoint and dimension: `score` or `reason`), `dimensions` (those of the
    checkpoint with the best training metric), `totals` {step: quality, semantic, total} for checkpoints with all
    dimensions, `totals_reason` otherwise, `protocol` (its id), `protocol_terms`. Files: videos.parquet,
    scores.parquet.
    """
    samples = current(project, "samples")
    unavailable = {dimension.name: reason_without_score(project, dimension) for dimension in DIMENSIONS}
    work = Work(
        project,
        ASSET,
        inputs={"samples": samples.version},
        settings={"protocol": samples.results["protocol"], "unavailable": unavailable},
    )
    if done := work.finished():
        return done
    videos = _score_videos(project, samples)
    rows = [
        _row(step, dimension, videos, unavailable[dimension.name])
        for step in samples.results["steps"]
        for dimension in DIMENSIONS
    ]
    tables.write(work.folder / "videos.parquet", videos, VIDEOS)
    tables.write(work.folder / "scores.parquet", rows, SCORES)
    return work.finish(
        version=digest([samples.results["protocol"], rows]),
        results={
            "scores": rows,
            "dimensions": [row for row in rows if row["step"] == samples.results["best_step"]],
            "protocol": samples.results["protocol"],
            "protocol_terms": samples.results["protocol_terms"],
            **_totals(rows),
        },
    )


def reason_without_score(project: Project, dimension: Dimension) -> str | None:
    """None for the dimension that is measured here; otherwise what stands between us and a score."""
    if dimension.name == NATIVE:
        return None
    missing = [name for name in dimension.needs if weights.status(project, name).state in ("missing", "wrong")]
    if missing:
        return f"not available: needs {', '.join(missing)}"
    return "not available: needs VBench's own runner; its weights are here"


def _score_videos(project: Project, samples: Artifact) -> list[Row]:
    from ops.evaluation.vbench.temporal_flickering import temporal_flickering
    from ops.runtime.mp4 import read_mp4

    manifest = tables.read(samples.folder / "manifest.parquet")
    rows = []
    for row in Progress.of(project, ASSET, len(manifest), "videos").over(manifest):
        frames = read_mp4(_existing(samples.folder / row["file"]))
        if len(frames) != row["frames"]:
            raise ValueError(f"{samples.folder / row['file']} holds {len(frames)} frames, not {row['frames']}")
        value = temporal_flickering(frames) if len(frames) > 1 else None
        rows.append({"step": row["step"], "file": row["file"], "dimension": NATIVE, "score": value})
    return rows


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; delete {path.parents[1]} and make `samples` again")
    return path


def _row(step: int, dimension: Dimension, videos: list[Row], unavailable: str | None) -> Row:
    row: dict[str, Any] = {"step": step, "dimension": dimension.name, "group": dimension.group, "score": None}
    row |= {"low": None, "high": None, "videos": 0, "reason": unavailable, "note": None}
    if unavailable is not None:
        return row
    values = [video["score"] for video in videos if video["step"] == step and video["dimension"] == dimension.name]
    if None in values or not values:
        return {**row, "reason": "not available: the samples are single frames"}
    interval = mean_interval(values)
    measured = {"score": interval.mean, "low": interval.low, "high": interval.high, "videos": interval.count}
    return {**row, **measured, "note": STATIC_FILTER_NOTE}


def _totals(rows: list[Row]) -> dict[str, Any]:
    result: dict[str, Any] = {"totals": {}, "totals_reason": None}
    for step in sorted({row["step"] for row in rows}):
        raw = {row["dimension"]: row["score"] for row in rows if row["step"] == step}
        try:
            found = totals(raw)
        except IncompleteScores as error:
            result["totals_reason"] = str(error)
        else:
            result["totals"][str(step)] = {"quality": found.quality, "semantic": found.semantic, "total": found.total}
    return result
