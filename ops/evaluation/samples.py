"""The `samples` asset: the protocol's prompts and seeds through every checkpoint that is going to be scored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pydantic import JsonValue

from ops.evaluation import protocols
from ops.evaluation.contact_sheet import write_contact_sheet
from ops.evaluation.moving_sheet import write_moving_sheet
from ops.evaluation.protocol import KeptProtocol, Protocol
from ops.generation.outputs import safe_name
from ops.generation.parts import parts_of
from ops.runtime import tables
from ops.runtime.artifacts import Artifact, Identity, Results, Work, current
from ops.runtime.files import digest, sha256
from ops.runtime.progress import Progress
from ops.runtime.project import Project
from ops.runtime.tables import Row
from ops.sampling.request import Request
from ops.training.results import Trained
from ops.training.trainings import final

ASSET = "samples"

MANIFEST = pa.schema(
    [
        ("step", pa.int64()),
        ("prompt_index", pa.int64()),
        ("prompt", pa.string()),
        ("seed", pa.int64()),
        ("file", pa.string()),
        ("sha256", pa.string()),
        ("frames", pa.int64()),
    ]
)


@dataclass(frozen=True)
class Planned:
    """One video to be made; `file` is relative to the artifact's folder."""

    step: int
    prompt_index: int
    request: Request
    file: str


class SamplesIdentity(Identity):
    protocol: dict[str, JsonValue]
    steps: tuple[int, ...]

    def setting(self, key: str) -> str | None:
        return "evaluation.checkpoints" if key == "steps" else protocols.setting(key)


class SamplesResults(Results):
    steps: tuple[int, ...]
    best_step: int
    """Of the training."""
    videos: int
    protocol: str
    """Its id."""
    protocol_terms: KeptProtocol
    notes: tuple[str, ...]


def make_samples(project: Project) -> Artifact[SamplesResults]:
    """Sample the newest kept checkpoints of the last stage and its best one; finished files are not made again.

    Files: step_*/*.mp4 with their settings, manifest.parquet, contact_sheet.png, and videos.webp, which plays.
    """
    denoiser = current(project, final(project.settings, project.line).asset, Trained)
    work, protocol, steps = work_of(project, denoiser)
    if done := work.finished():
        return done
    notes = _render_missing(work, denoiser, steps)
    manifest = [_row(work.folder, planned) for planned in plan(project, steps)]
    tables.write(work.folder / "manifest.parquet", manifest, MANIFEST)
    write_contact_sheet(work.folder / "contact_sheet.png", work.folder, manifest)
    step, fps = denoiser.results.best_step, project.settings.evaluation.fps
    write_moving_sheet(work.folder / "videos.webp", work.folder, manifest, step, fps)
    return work.finish(
        version=digest([protocol.id, [(row["file"], row["sha256"]) for row in manifest]]),
        results=SamplesResults(
            steps=tuple(steps),
            best_step=denoiser.results.best_step,
            videos=len(manifest),
            protocol=protocol.id,
            protocol_terms=protocol,
            notes=tuple(notes),
        ),
    )


def work_of(project: Project, denoiser: Artifact[Trained]) -> tuple[Work[SamplesResults], Protocol, list[int]]:
    """The work of sampling a denoiser's checkpoints, by which protocol, and after which steps."""
    from ops.runtime.mp4 import codec

    steps = scored_steps(denoiser, project.settings.evaluation.checkpoints)
    protocol = protocols.generation(project.settings.evaluation, codec()[0])
    inputs = {denoiser.asset: denoiser.version, "latents": denoiser.inputs["latents"]}
    identity = SamplesIdentity(protocol=protocol.as_json(), steps=tuple(steps))
    return Work(project, project.named(ASSET), inputs, identity, SamplesResults), protocol, steps


def planned(project: Project) -> Work[SamplesResults]:
    """That of the current denoiser."""
    return work_of(project, current(project, final(project.settings, project.line).asset, Trained))[0]


def scored_steps(denoiser: Artifact[Trained], newest: int) -> list[int]:
    """The steps of the newest checkpoints and of the best one, in order."""
    steps = [checkpoint.step for checkpoint in denoiser.results.checkpoints]
    return sorted({*steps[-newest:], denoiser.results.best_step})


def plan(project: Project, steps: list[int]) -> Iterator[Planned]:
    """Every video of the protocol, checkpoint by checkpoint."""
    evaluation = project.settings.evaluation
    for step in steps:
        for index, prompt in enumerate(evaluation.prompts):
            for seed in evaluation.seeds:
                file = f"step_{step:06d}/{safe_name(index, prompt)}-seed_{seed}.mp4"
                yield Planned(step, index, Request.of(evaluation, prompt, seed).checked()[0], file)


def _render_missing(work: Work[SamplesResults], denoiser: Artifact[Trained], steps: list[int]) -> list[str]:
    from ops.generation.model import VideoModel
    from ops.generation.render import render

    videos = list(plan(work.project, steps))
    progress = Progress.of(work.project, work.asset, len(videos), "videos")
    model: VideoModel | None = None
    notes: list[str] = []
    for done, planned in enumerate(videos, start=1):
        path = work.folder / planned.file
        if not (path.is_file() and path.with_suffix(".json").is_file()):
            parts = parts_of(work.project, denoiser, planned.step)
            if model is None or model.parts != parts:
                model = VideoModel(work.project, parts) if model is None else model.with_denoiser(parts)
            notes += render(model, planned.request, path, _stepper(progress, done, planned))
        progress.update(done, note=f"step {planned.step}")
    return sorted(set(notes))


def _stepper(progress: Progress, number: int, planned: Planned) -> Callable[[int, int], None]:
    def on_step(done: int, total: int) -> None:
        progress.update(number - 1, note=f"step {planned.step}: denoising {done}/{total}")

    return on_step


def _row(folder: Path, planned: Planned) -> Row:
    columns: dict[str, object] = {
        "step": planned.step,
        "prompt_index": planned.prompt_index,
        "prompt": planned.request.prompt,
        "seed": planned.request.seed,
        "file": planned.file,
        "frames": planned.request.frames,
    }
    return {**columns, "sha256": sha256(folder / planned.file)}
