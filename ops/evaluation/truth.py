"""The `truth` asset: whether generated videos of the made world show what their prompts say, read off them.

The same videos judged by each other's prompts, and clips drawn anew that went through the VAE, stand beside them: what
comes out at chance, and what the VAE alone loses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pyarrow as pa
from pydantic import JsonValue

from ops.data.latents import LatentsResults, vae_of
from ops.evaluation import protocols
from ops.evaluation.protocol import Judged, KeptProtocol, MeasuredScore, Protocol, Score
from ops.evaluation.samples import ASSET as SAMPLES
from ops.evaluation.samples import SamplesResults
from ops.made_world.scenes import of_caption
from ops.metrics.base import Measure, Value, Video
from ops.metrics.truth import ALL, MEASURES, WORDS, Truth
from ops.runtime import tables
from ops.runtime.artifacts import Artifact, Identity, MissingArtifact, R, Record, Results, Work, current, find
from ops.runtime.files import digest
from ops.runtime.progress import Progress
from ops.runtime.project import Project
from ops.runtime.tables import Row
from ops.statistics.bootstrap import Interval
from ops.weights.results import Weights

ASSET = "truth"
METRICS = {measure: Truth(measure) for measure in MEASURES}
NO_PROMPTS = "not available: no prompt of evaluation.prompts is a sentence of the made world (see docs/learning.md)"
VIDEOS = pa.schema(
    [
        ("of", pa.string()),
        ("step", pa.int64()),
        ("file", pa.string()),
        ("prompt", pa.string()),
        ("seen", pa.string()),
        *((word, pa.bool_()) for word in WORDS),
        (ALL, pa.bool_()),
    ]
)
"""One row a video: of `samples`, of `shuffled` (the same videos, each judged by another's prompt), and of the VAE's
`reconstructions` of clips drawn anew. `seen` is the largest thing, in the prompt's words."""


class TruthIdentity(Identity):
    protocol: dict[str, JsonValue]

    def setting(self, key: str) -> str | None:
        return protocols.setting(key)


class MeasureScore(Record):
    """A measure of one checkpoint: the share of videos that keep it, its interval and what chance gives, or the reason
    why there is none."""

    step: int
    measure: str
    share: float | None = None
    low: float | None = None
    high: float | None = None
    videos: int
    chance: float | None
    reason: str | None = None


class TruthResults(Results):
    scores: tuple[MeasureScore, ...]
    best: tuple[MeasureScore, ...]
    """Those of the best checkpoint of the training."""
    shuffled: dict[str, float]
    reconstruction: dict[str, float]
    """Measure → share; both empty where no prompt is of the made world."""
    videos: int
    protocol: str
    """Its id."""
    protocol_terms: KeptProtocol


def score(project: Project) -> Artifact[TruthResults]:
    """Read every current sample whose prompt is a sentence of the made world. Files: videos.parquet."""
    samples = current(project, project.named(SAMPLES), SamplesResults)
    work, protocol = work_of(project, samples)
    if done := work.finished():
        return done
    manifest = [row for row in tables.read(samples.folder / "manifest.parquet") if of_caption(row["prompt"])]
    videos = _read_samples(project, samples, manifest)
    if manifest:
        videos += _read_reconstructions(project, samples)
    tables.write(work.folder / "videos.parquet", videos, VIDEOS)
    scores = [_score(step, measure, videos) for step in samples.results.steps for measure in MEASURES]
    best = samples.results.best_step
    return work.finish(
        version=digest([protocol.id, videos]),
        results=TruthResults(
            scores=tuple(scores),
            best=tuple(each for each in scores if each.step == best),
            shuffled=shares(row for row in videos if row["of"] == "shuffled" and row["step"] == best),
            reconstruction=shares(row for row in videos if row["of"] == "reconstructions"),
            videos=len(manifest),
            protocol=protocol.id,
            protocol_terms=protocol,
        ),
    )


def work_of(project: Project, samples: Artifact[SamplesResults]) -> tuple[Work[TruthResults], Protocol]:
    """The work of reading samples, and its protocol."""
    protocol = protocols.of_metric(METRICS[ALL], samples.results.protocol_terms, project)
    identity = TruthIdentity(protocol=protocol.as_json())
    return Work(project, project.named(ASSET), {samples.asset: samples.version}, identity, TruthResults), protocol


def planned(project: Project) -> Work[TruthResults]:
    """That of the current samples."""
    return work_of(project, current(project, project.named(SAMPLES), SamplesResults))[0]


def scores_of(truth: Artifact[TruthResults], step: int) -> list[Score]:
    """The measures of one checkpoint, as `truth_colour` and so on."""
    protocol = truth.results.protocol_terms
    rows = [(METRICS[row.measure], row) for row in truth.results.scores if row.step == step]
    return [Score(each.name, row.share, protocol, each.higher_is_better, row.reason) for each, row in rows]


def judged(truth: Artifact[TruthResults], step: int) -> Judged:
    """The measures of one checkpoint with their intervals, and what they say of each of its videos."""
    protocol = truth.results.protocol_terms
    scores = tuple(
        MeasuredScore(
            METRICS[row.measure].name,
            Interval(row.share, row.low, row.high, row.videos),
            protocol,
            METRICS[row.measure].higher_is_better,
        )
        for row in truth.results.scores
        if row.step == step and row.share is not None and row.low is not None and row.high is not None
    )
    rows = [row for row in tables.read(truth.folder / "videos.parquet") if row["of"] == "samples"]
    values = {
        row["file"]: {metric.name: float(row[measure]) for measure, metric in METRICS.items()}
        for row in rows
        if row["step"] == step
    }
    return Judged(scores, values)


def measures(project: Project) -> dict[str, Measure]:
    """Every measure by its word, ready to be taken."""
    return {measure: metric.start(project) for measure, metric in METRICS.items()}


def _read_samples(project: Project, samples: Artifact[SamplesResults], manifest: list[Row]) -> list[Row]:
    from ops.runtime.mp4 import read_mp4

    rows: list[Row] = []
    taken = measures(project)
    progress = Progress.of(project, project.named(ASSET), len(manifest), "videos")
    others = np.random.default_rng(0).permutation(len(manifest)).tolist()
    for row, other in zip(progress.over(manifest), others, strict=True):
        video = Video(read_mp4(samples.folder / row["file"]), row["prompt"])
        for of, asked in (("samples", video), ("shuffled", video.asked_for(manifest[other]["prompt"]))):
            rows.append(video_row(of, row["step"], row["file"], asked, taken))
    return rows


def _read_reconstructions(project: Project, samples: Artifact[SamplesResults]) -> list[Row]:
    """Clips of held-out combinations, drawn anew and sent through the VAE of the samples' model."""
    from ops.evaluation.made_clips import reconstructed

    latents = _made(project, "latents", samples.inputs["latents"], LatentsResults)
    vae = _made(project, *vae_of(latents), Weights)
    clips, taken = reconstructed(project, vae, samples.results.protocol_terms.terms), measures(project)
    return [video_row("reconstructions", None, name, Video(frames, said), taken) for name, said, frames in clips]


def _made(project: Project, asset: str, version: str, kind: type[R]) -> Artifact[R]:
    found = find(project, asset, version, kind)
    if found is None:
        raise MissingArtifact(f"version {version} of '{asset}', which `samples` came from, is gone: make both again")
    return found


def video_row(of: str, step: int | None, file: str, video: Video, taken: Mapping[str, Measure]) -> Row:
    """A row of VIDEOS: what the detector reads off a video, held against its prompt."""
    from ops.made_world.detector import read

    things = video.once(read).things
    seen = f"{things[0].colour} {things[0].shape} {things[0].direction or 'still'}" if things else None
    row = {"of": of, "step": step, "file": file, "prompt": video.prompt, "seen": seen}
    return {**row, **{measure: bool(take(video).value) for measure, take in taken.items()}}


def _score(step: int, measure: str, videos: list[Row]) -> MeasureScore:
    values = [Value(float(row[measure])) for row in videos if row["of"] == "samples" and row["step"] == step]
    chance = METRICS[measure].chance
    if not values:
        return MeasureScore(step=step, measure=measure, videos=0, chance=chance, reason=NO_PROMPTS)
    interval = METRICS[measure].over(values)
    return MeasureScore(
        step=step,
        measure=measure,
        share=interval.mean,
        low=interval.low,
        high=interval.high,
        videos=len(values),
        chance=chance,
    )


def shares(videos: Iterable[Row]) -> dict[str, float]:
    """Measure → the share of these videos that keep it; nothing for no videos."""
    rows = list(videos)
    return {measure: sum(row[measure] for row in rows) / len(rows) for measure in MEASURES} if rows else {}
