"""The `truth` asset: whether generated videos of the made world show what their prompts say, read off them.

The same videos judged by each other's prompts, and clips drawn anew that went through the VAE, stand beside them: what
comes out at chance, and what the VAE alone loses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pyarrow as pa

from ops.evaluation.protocol import Protocol, Score
from ops.made_world.scenes import of_caption
from ops.metrics.base import Measure, Value, Video
from ops.metrics.truth import ALL, MEASURES, WORDS, Truth
from ops.runtime import tables
from ops.runtime.artifacts import Artifact, MissingArtifact, Work, current, find
from ops.runtime.files import digest
from ops.runtime.progress import Progress
from ops.runtime.project import Project
from ops.runtime.tables import Row

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


def score(project: Project) -> Artifact:
    """Read every current sample whose prompt is a sentence of the made world.

    Results: `scores` (one row for each checkpoint and measure: share of videos, its interval, chance, or the reason
    why there is none), `shuffled` and `reconstruction` {measure: share}, `videos`, `protocol` (its id),
    `protocol_terms`. Files: videos.parquet.
    """
    samples = current(project, "samples")
    protocol = METRICS[ALL].under(Protocol.of_json(samples.results["protocol_terms"]), project)
    work = Work(project, ASSET, inputs={"samples": samples.version}, settings={"protocol": protocol.as_json()})
    if done := work.finished():
        return done
    manifest = [row for row in tables.read(samples.folder / "manifest.parquet") if of_caption(row["prompt"])]
    videos = _read_samples(project, samples, manifest)
    if manifest:
        videos += _read_reconstructions(project, samples)
    tables.write(work.folder / "videos.parquet", videos, VIDEOS)
    scores = [_score(step, measure, videos) for step in samples.results["steps"] for measure in MEASURES]
    best = samples.results["best_step"]
    return work.finish(
        version=digest([protocol.id, videos]),
        results={
            "scores": scores,
            "best": [row for row in scores if row["step"] == best],
            "shuffled": shares(row for row in videos if row["of"] == "shuffled" and row["step"] == best),
            "reconstruction": shares(row for row in videos if row["of"] == "reconstructions"),
            "videos": len(manifest),
            "protocol": protocol.id,
            "protocol_terms": protocol.as_json(),
        },
    )


def scores_of(truth: Artifact, step: int) -> list[Score]:
    """The measures of one checkpoint, as `truth_colour` and so on."""
    protocol = Protocol.of_json(truth.results["protocol_terms"])
    rows = [(METRICS[row["measure"]], row) for row in truth.results["scores"] if row["step"] == step]
    return [Score(each.name, row["share"], protocol, each.higher_is_better, row["reason"]) for each, row in rows]


def measures(project: Project) -> dict[str, Measure]:
    """Every measure by its word, ready to be taken."""
    return {measure: metric.start(project) for measure, metric in METRICS.items()}


def _read_samples(project: Project, samples: Artifact, manifest: list[Row]) -> list[Row]:
    from ops.runtime.mp4 import read_mp4

    rows: list[Row] = []
    taken = measures(project)
    progress = Progress.of(project, ASSET, len(manifest), "videos")
    others = np.random.default_rng(0).permutation(len(manifest)).tolist()
    for row, other in zip(progress.over(manifest), others, strict=True):
        video = Video(read_mp4(samples.folder / row["file"]), row["prompt"])
        for of, asked in (("samples", video), ("shuffled", video.asked_for(manifest[other]["prompt"]))):
            rows.append(video_row(of, row["step"], row["file"], asked, taken))
    return rows


def _read_reconstructions(project: Project, samples: Artifact) -> list[Row]:
    """Clips of held-out combinations, drawn anew and sent through the VAE of the samples' model."""
    from ops.evaluation.made_clips import reconstructed

    latents = _made(project, "latents", samples.inputs["latents"])
    asset = next(name for name in latents.inputs if name != "training_set")
    vae = _made(project, asset, latents.inputs[asset])
    clips, taken = reconstructed(project, vae, samples.results["protocol_terms"]["terms"]), measures(project)
    return [video_row("reconstructions", None, name, Video(frames, said), taken) for name, said, frames in clips]


def _made(project: Project, asset: str, version: str) -> Artifact:
    found = find(project, asset, version)
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


def _score(step: int, measure: str, videos: list[Row]) -> Row:
    values = [Value(float(row[measure])) for row in videos if row["of"] == "samples" and row["step"] == step]
    row: Row = {"step": step, "measure": measure, "share": None, "low": None, "high": None, "videos": len(values)}
    row |= {"chance": METRICS[measure].chance, "reason": None if values else NO_PROMPTS}
    if values:
        interval = METRICS[measure].over(values)
        row |= {"share": interval.mean, "low": interval.low, "high": interval.high}
    return row


def shares(videos: Iterable[Row]) -> dict[str, float]:
    """Measure → the share of these videos that keep it; nothing for no videos."""
    rows = list(videos)
    return {measure: sum(row[measure] for row in rows) / len(rows) for measure in MEASURES} if rows else {}
