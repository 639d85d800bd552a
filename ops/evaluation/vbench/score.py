"""The `vbench` asset: every dimension of every sampled checkpoint, as a score or as a row that says what it needs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from ops import weights
from ops.evaluation.protocol import Protocol, Score
from ops.evaluation.vbench.dimensions import DIMENSIONS, Dimension
from ops.evaluation.vbench.totals import IncompleteScores, totals
from ops.metrics.base import Value, Video, VideoMetric
from ops.metrics.registry import METRICS
from ops.runtime import tables
from ops.runtime.artifacts import Artifact, Work, current
from ops.runtime.files import digest
from ops.runtime.progress import Progress
from ops.runtime.project import Project
from ops.runtime.tables import Row

ASSET = "vbench"
NOTES = {
    "temporal_flickering": "without the static filter, which needs raft: videos with motion score lower than in the "
    "official protocol"
}
"""In what a score differs from the official one."""
NEEDS = "not available: needs "
NO_RUNNER = f"{NEEDS}VBench's own runner; its weights are here"

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


@dataclass(frozen=True)
class Scored:
    """A video of a checkpoint, as one dimension found it."""

    step: int
    file: str
    metric: VideoMetric
    found: Value

    def as_row(self) -> Row:
        return {"step": self.step, "file": self.file, "dimension": self.metric.name, "score": self.found.value}


def score(project: Project) -> Artifact:
    """Score the current samples.

    Results: `scores` (one row for each checkpoint and dimension: `score` or `reason`), `dimensions` (those of the
    checkpoint with the best training metric), `totals` {step: quality, semantic, total} for checkpoints with all
    dimensions, `totals_reason` otherwise, `protocol` (id of the samples'), `protocol_terms`, `protocols` {dimension:
    what its scores were measured under}. Files: videos.parquet, scores.parquet.
    """
    samples = current(project, "samples")
    unavailable = {dimension.name: reason_without_score(project, dimension) for dimension in DIMENSIONS}
    made = Protocol.of_json(samples.results["protocol_terms"])
    metrics = [metric for name, reason in unavailable.items() if reason is None and (metric := metric_of(name))]
    protocols = {metric.name: metric.under(made, project) for metric in metrics}
    work = Work(
        project,
        ASSET,
        inputs={"samples": samples.version},
        settings={"protocol": made.id, "protocols": _ids(protocols), "unavailable": unavailable},
    )
    if done := work.finished():
        return done
    videos = _score_videos(project, samples, metrics)
    rows = [
        _row(step, dimension, videos, unavailable[dimension.name])
        for step in samples.results["steps"]
        for dimension in DIMENSIONS
    ]
    tables.write(work.folder / "videos.parquet", [each.as_row() for each in videos], VIDEOS)
    tables.write(work.folder / "scores.parquet", rows, SCORES)
    return work.finish(
        version=digest([made.id, rows]),
        results={
            "scores": rows,
            "dimensions": [row for row in rows if row["step"] == samples.results["best_step"]],
            "protocol": made.id,
            "protocol_terms": made.as_json(),
            "protocols": {name: protocol.as_json() for name, protocol in protocols.items()},
            **_totals(rows),
        },
    )


def scores_of(vbench: Artifact, step: int) -> list[Score]:
    """The sixteen dimensions of one checkpoint, each under its own protocol."""
    made, measured = vbench.results["protocol_terms"], vbench.results["protocols"]
    rows = {row["dimension"]: row for row in vbench.results["scores"] if row["step"] == step}
    found = []
    for name in (dimension.name for dimension in DIMENSIONS):
        protocol = Protocol.of_json(measured.get(name, made))
        found.append(Score(name, rows[name]["score"], protocol, higher_is_better=True, reason=rows[name]["reason"]))
    return found


def metric_of(dimension: str) -> VideoMetric | None:
    """What measures a dimension here; None when nothing does."""
    metric = METRICS.get(dimension)
    return metric if isinstance(metric, VideoMetric) else None


def reason_without_score(project: Project, dimension: Dimension) -> str | None:
    """None for a dimension that can be measured here; otherwise what stands between us and a score."""
    metric = metric_of(dimension.name)
    missing = metric.missing(project) if metric else _missing_weights(project, dimension)
    if missing:
        return NEEDS + ", ".join(missing)
    return None if metric else NO_RUNNER


def _missing_weights(project: Project, dimension: Dimension) -> list[str]:
    return [name for name in dimension.needs if weights.status(project, name).state in ("missing", "wrong")]


def _ids(protocols: dict[str, Protocol]) -> dict[str, str]:
    return {name: protocol.id for name, protocol in protocols.items()}


def _score_videos(project: Project, samples: Artifact, metrics: list[VideoMetric]) -> list[Scored]:
    """Every video is decoded once, for all metrics."""
    from ops.runtime.mp4 import read_mp4

    manifest = tables.read(samples.folder / "manifest.parquet")
    measures = [(metric, metric.start(project)) for metric in metrics]
    scored = []
    for row in Progress.of(project, ASSET, len(manifest), "videos").over(manifest):
        frames = read_mp4(_existing(samples.folder / row["file"]))
        if len(frames) != row["frames"]:
            raise ValueError(f"{samples.folder / row['file']} holds {len(frames)} frames, not {row['frames']}")
        video = Video(frames, row["prompt"])
        for metric, measure in measures:
            scored.append(Scored(row["step"], row["file"], metric, metric.value(measure, video)))
    return scored


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; delete {path.parents[1]} and make `samples` again")
    return path


def _row(step: int, dimension: Dimension, videos: list[Scored], unavailable: str | None) -> Row:
    row: Row = {"step": step, "dimension": dimension.name, "group": dimension.group, "score": None}
    row |= {"low": None, "high": None, "videos": 0, "reason": unavailable, "note": None}
    if unavailable is not None:
        return row
    mine = [each for each in videos if each.step == step and each.metric.name == dimension.name]
    without = [each for each in mine if each.found.reason]
    if without:
        return {**row, "reason": f"not available: {len(without)} of {len(mine)} videos: {without[0].found.reason}"}
    interval = mine[0].metric.over([each.found for each in mine])
    measured = {"score": interval.mean, "low": interval.low, "high": interval.high, "videos": interval.count}
    return {**row, **measured, "note": NOTES.get(dimension.name)}


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
