"""The sampled videos of a checkpoint with what each metric says of each, as the artifacts hold them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ops.evaluation import samples, truth
from ops.evaluation.protocol import Judged, MeasuredScore, Protocol
from ops.evaluation.samples import SamplesResults
from ops.evaluation.truth import TruthResults
from ops.evaluation.vbench.score import ASSET as VBENCH
from ops.evaluation.vbench.score import VbenchResults
from ops.evaluation.vbench.score import judged as judged_by_vbench
from ops.runtime import tables
from ops.runtime.artifacts import Artifact, Entry, entries
from ops.runtime.project import Project
from ops.statistics.paired import Pair


@dataclass(frozen=True)
class ScoredVideo:
    """`values` holds the metrics that have one of this video, by name."""

    prompt: str
    seed: int
    path: Path
    sha256: str
    values: Mapping[str, float]


@dataclass(frozen=True)
class ScoredSamples:
    """The videos of one checkpoint, in the order of the prompts; `scores` are of all of them together, by metric, and
    `made` is what they were made under."""

    version: str
    made: Protocol
    videos: tuple[ScoredVideo, ...]
    scores: Mapping[str, MeasuredScore]

    @property
    def fps(self) -> float:
        return float(self.made.terms["fps"])


def scored_samples(project: Project, asset: str, version: str, step: int) -> Iterator[ScoredSamples]:
    """Those of the checkpoint after `step` of this version of a training, the newest first; none, where it was never
    sampled, or its samples are gone."""
    for home in homes(project, asset):
        for found in entries(home, home.named(samples.ASSET)):
            if found.inputs.get(asset) == version:
                made = found.of(SamplesResults)
                if step in made.results.steps:
                    yield _scored(home, made, step)


def homes(project: Project, asset: str) -> tuple[Project, Project]:
    """Where samples and scores of a training may lie: in a line of its own, and among those of the recipe's model."""
    return project.of_line(asset), project.of_line(None)


def pairs(first: ScoredSamples, second: ScoredSamples, metric: str) -> list[Pair]:
    """What a metric says of the videos that both have made, by prompt and seed.

    Raises:
        ProtocolMismatch: they were measured under different protocols.
    """
    if metric not in first.scores or metric not in second.scores:
        return []
    second.scores[metric].protocol.require_same(first.scores[metric].protocol)
    theirs = {(each.prompt, each.seed): each.values[metric] for each in first.videos if metric in each.values}
    return [
        Pair(each.prompt, theirs[each.prompt, each.seed], each.values[metric])
        for each in second.videos
        if metric in each.values and (each.prompt, each.seed) in theirs
    ]


def _scored(project: Project, made: Artifact[SamplesResults], step: int) -> ScoredSamples:
    values: dict[str, dict[str, float]] = {}
    scores: dict[str, MeasuredScore] = {}
    for found in _judged(project, made, step):
        scores |= {each.metric: each for each in found.scores}
        for file, told in found.values.items():
            values.setdefault(file, {}).update(told)
    rows = [row for row in tables.read(made.folder / "manifest.parquet") if row["step"] == step]
    videos = tuple(
        ScoredVideo(row["prompt"], row["seed"], made.folder / row["file"], row["sha256"], values.get(row["file"], {}))
        for row in rows
    )
    return ScoredSamples(made.version, made.results.protocol_terms, videos, scores)


def _judged(project: Project, made: Artifact[SamplesResults], step: int) -> Iterator[Judged]:
    """What the newest scores of each kind say of these samples."""
    if found := _newest(project, truth.ASSET, made):
        yield truth.judged(found.of(TruthResults), step)
    if found := _newest(project, VBENCH, made):
        yield judged_by_vbench(found.of(VbenchResults), step)


def _newest(project: Project, asset: str, made: Artifact[SamplesResults]) -> Entry | None:
    return next(
        (each for each in entries(project, project.named(asset)) if each.inputs.get(made.asset) == made.version), None
    )
