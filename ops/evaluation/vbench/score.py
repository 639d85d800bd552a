"""The `vbench` asset: every dimension of every sampled checkpoint, as a score or as a row that says what it needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa
from pydantic import Field

from ops.evaluation.protocol import Judged, KeptProtocol, MeasuredScore, Protocol, Score
from ops.evaluation.protocols import of_metric
from ops.evaluation.samples import ASSET as SAMPLES
from ops.evaluation.samples import SamplesResults
from ops.evaluation.vbench.dimensions import DIMENSIONS, Dimension
from ops.evaluation.vbench.suite import suite_if_here
from ops.evaluation.vbench.totals import IncompleteScores, totals
from ops.metrics.base import Value, Video, VideoMetric
from ops.metrics.registry import METRICS
from ops.runtime import tables
from ops.runtime.artifacts import Artifact, Identity, Record, Results, Work, current
from ops.runtime.files import digest
from ops.runtime.progress import Progress
from ops.runtime.project import Project
from ops.runtime.tables import Row
from ops.statistics.bootstrap import Interval

ASSET = "vbench"
NOTES = {
    "temporal_flickering": "without the static filter, which needs raft: videos with motion score lower than in the "
    "official protocol"
}
"""In what a score differs from the official one."""
NEEDS = "not available: needs "
NO_RUNNER = f"{NEEDS}VBench's own runner; its network is not written here"
NO_VALUE = "not available: no video has a value"

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
        ("proof", pa.string()),
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


class VbenchIdentity(Identity):
    protocol: str
    """The id of the samples'."""
    protocols: dict[str, str]
    """Dimension → the id of its own."""
    unavailable: dict[str, str | None]
    """Dimension → why it is not measured here."""


class DimensionScore(Record):
    """A dimension of one checkpoint: `score`, with its interval over so many videos, or why there is none."""

    step: int
    dimension: str
    group: Literal["quality", "semantic"]
    score: float | None = None
    low: float | None = None
    high: float | None = None
    videos: int = 0
    reason: str | None = None
    note: str | None = None
    proof: str | None = None
    """What the metric's numbers were compared with here."""


class VbenchTotals(Record):
    quality: float
    semantic: float
    total: float


class VbenchResults(Results):
    scores: tuple[DimensionScore, ...]
    dimensions: tuple[DimensionScore, ...]
    """Those of the checkpoint with the best training metric."""
    protocol: str
    """The id of the samples'."""
    protocol_terms: KeptProtocol
    protocols: dict[str, KeptProtocol] = Field(default_factory=dict)
    """Dimension → what its scores were measured under; the samples' for those without one."""
    totals: dict[str, VbenchTotals]
    """By step, of the checkpoints with all dimensions."""
    totals_reason: str | None
    """Why the others have none."""


def score(project: Project) -> Artifact[VbenchResults]:
    """Score the current samples. Files: videos.parquet, scores.parquet."""
    samples = current(project, project.named(SAMPLES), SamplesResults)
    work, protocols = work_of(project, samples)
    if done := work.finished():
        return done
    unavailable = unavailable_dimensions(project)
    videos = _score_videos(project, samples, [metric for name in protocols if (metric := metric_of(name))])
    scores = tuple(
        _row(step, dimension, videos, unavailable[dimension.name])
        for step in samples.results.steps
        for dimension in DIMENSIONS
    )
    rows = [each.model_dump() for each in scores]
    tables.write(work.folder / "videos.parquet", [each.as_row() for each in videos], VIDEOS)
    tables.write(work.folder / "scores.parquet", rows, SCORES)
    made = samples.results.protocol_terms
    found, why = _totals(scores)
    return work.finish(
        version=digest([made.id, rows]),
        results=VbenchResults(
            scores=scores,
            dimensions=tuple(each for each in scores if each.step == samples.results.best_step),
            protocol=made.id,
            protocol_terms=made,
            protocols=protocols,
            totals=found,
            totals_reason=why,
        ),
    )


def work_of(project: Project, samples: Artifact[SamplesResults]) -> tuple[Work[VbenchResults], dict[str, Protocol]]:
    """The work of scoring samples in what can be measured here, and the protocol of each dimension."""
    made, unavailable = samples.results.protocol_terms, unavailable_dimensions(project)
    metrics = [metric for name, reason in unavailable.items() if reason is None and (metric := metric_of(name))]
    protocols = {metric.name: of_metric(metric, made, project) for metric in metrics}
    ids = {name: protocol.id for name, protocol in protocols.items()}
    identity = VbenchIdentity(protocol=made.id, protocols=ids, unavailable=unavailable)
    return Work(project, project.named(ASSET), {samples.asset: samples.version}, identity, VbenchResults), protocols


def planned(project: Project) -> Work[VbenchResults]:
    """That of the current samples."""
    return work_of(project, current(project, project.named(SAMPLES), SamplesResults))[0]


def unavailable_dimensions(project: Project) -> dict[str, str | None]:
    """Dimension → what stands between us and a score; None for what can be measured here."""
    return {dimension.name: reason_without_score(project, dimension) for dimension in DIMENSIONS}


def scores_of(vbench: Artifact[VbenchResults], step: int) -> list[Score]:
    """The sixteen dimensions of one checkpoint, each under its own protocol."""
    found = vbench.results
    rows = {row.dimension: row for row in found.scores if row.step == step}
    return [
        Score(
            name,
            rows[name].score,
            found.protocols.get(name, found.protocol_terms),
            higher_is_better=True,
            reason=rows[name].reason,
        )
        for name in (dimension.name for dimension in DIMENSIONS)
    ]


def judged(vbench: Artifact[VbenchResults], step: int) -> Judged:
    """The dimensions of one checkpoint that have a score, with their intervals, and what they say of each video."""
    found = vbench.results
    scores = tuple(
        MeasuredScore(
            row.dimension,
            Interval(row.score, row.low, row.high, row.videos),
            found.protocols.get(row.dimension, found.protocol_terms),
            higher_is_better=True,
        )
        for row in found.scores
        if row.step == step and row.score is not None and row.low is not None and row.high is not None
    )
    values: dict[str, dict[str, float]] = {}
    for row in tables.read(vbench.folder / "videos.parquet"):
        if row["step"] == step and row["score"] is not None:
            values.setdefault(row["file"], {})[row["dimension"]] = row["score"]
    return Judged(scores, values)


def metric_of(dimension: str) -> VideoMetric | None:
    """What measures a dimension here; None when nothing does."""
    metric = METRICS.get(dimension)
    return metric if isinstance(metric, VideoMetric) else None


def reason_without_score(project: Project, dimension: Dimension) -> str | None:
    """None for a dimension that can be measured here; otherwise what stands between us and a score."""
    metric = metric_of(dimension.name)
    if metric is None:
        return NO_RUNNER
    missing = metric.missing(project)
    return NEEDS + ", ".join(missing) if missing else None


def without_score(reason: str) -> str:
    """The reason of a row as a line says it of several: weights are told by their list, whatever they are called."""
    if reason.startswith(NEEDS) and reason != NO_RUNNER:
        return "not available, their weights are missing (soraflow weights list)"
    return reason


def _score_videos(project: Project, samples: Artifact[SamplesResults], metrics: list[VideoMetric]) -> list[Scored]:
    """Every video is decoded once, for all metrics."""
    from ops.runtime.mp4 import read_mp4

    manifest = tables.read(samples.folder / "manifest.parquet")
    measures = [(metric, metric.start(project)) for metric in metrics]
    prompts, fps = suite_if_here(project), samples.results.protocol_terms.terms["fps"]
    scored = []
    for row in Progress.of(project, project.named(ASSET), len(manifest), "videos").over(manifest):
        frames = read_mp4(_existing(samples.folder / row["file"]))
        if len(frames) != row["frames"]:
            raise ValueError(f"{samples.folder / row['file']} holds {len(frames)} frames, not {row['frames']}")
        video = Video(frames, row["prompt"], fps=fps, asked=prompts.asked(row["prompt"]))
        for metric, measure in measures:
            scored.append(Scored(row["step"], row["file"], metric, metric.value(measure, video)))
    return scored


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; delete {path.parents[1]} and make `samples` again")
    return path


def _row(step: int, dimension: Dimension, videos: list[Scored], unavailable: str | None) -> DimensionScore:
    row = DimensionScore(step=step, dimension=dimension.name, group=dimension.group, reason=unavailable)
    if unavailable is not None:
        return row
    mine = [each for each in videos if each.step == step and each.metric.name == dimension.name]
    without = [each for each in mine if each.found.reason]
    if without:
        reason = f"not available: {len(without)} of {len(mine)} videos: {without[0].found.reason}"
        return row.model_copy(update={"reason": reason})
    if not any(each.found.value is not None for each in mine):
        return row.model_copy(update={"reason": NO_VALUE})
    metric = mine[0].metric
    interval = metric.over([each.found for each in mine])
    measured = {"score": interval.mean, "low": interval.low, "high": interval.high, "videos": interval.count}
    return row.model_copy(update={**measured, "note": NOTES.get(dimension.name), "proof": metric.proof})


def _totals(rows: Sequence[DimensionScore]) -> tuple[dict[str, VbenchTotals], str | None]:
    """The totals by step, and why others have none."""
    found: dict[str, VbenchTotals] = {}
    why = None
    for step in sorted({row.step for row in rows}):
        try:
            each = totals({row.dimension: row.score for row in rows if row.step == step})
        except IncompleteScores as error:
            why = str(error)
        else:
            found[str(step)] = VbenchTotals(quality=each.quality, semantic=each.semantic, total=each.total)
    return found, why
