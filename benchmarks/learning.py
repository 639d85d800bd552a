"""What each choice of the preset `shapes` gave: the made world learned with one of them undone at a time.

`python -m benchmarks.learning` takes an hour on two cores; `--vae-steps` and `--denoiser-steps` make it shorter or
longer. Every row is a run of the real graph in one project, whose curation is shared.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.fresh_project import fresh_project
from benchmarks.orchestration import run
from benchmarks.report import Report
from ops.config import change
from ops.evaluation.made_clips import reconstructed
from ops.evaluation.truth import TruthResults, measures, shares, video_row
from ops.metrics.base import Video
from ops.runtime.artifacts import Artifact, current
from ops.runtime.project import Project
from ops.training.results import Trained

SHOWN = ("colour", "shape", "direction")


@dataclass(frozen=True)
class Lever:
    """A choice of the preset undone: what a row says, and the assignments that undo it."""

    name: str
    undone: tuple[str, ...]


VAE_LEVERS = (
    Lever("as the preset has it", ()),
    Lever("absolute error only, as published", ("vae.losses.squared_weight=0",)),
    Lever("no mirrored views", ("vae.views.flips=false",)),
    Lever("8 latent channels", ("vae.model.latent_channels=8",)),
)
DENOISER_LEVERS = (
    Lever("as the preset has it", ()),
    Lever("the published min-SNR weights", ("denoiser.diffusion.min_snr_gamma=5.0",)),
    Lever("no code of time and place", ("denoiser.model.absolute_positions=false",)),
    Lever("no guidance", ("evaluation.guidance=1.0",)),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=360)
    parser.add_argument("--vae-steps", type=int, default=600)
    parser.add_argument("--denoiser-steps", type=int, default=600)
    parser.add_argument("--write", action="store_true", help="put the figures into docs/benchmarks.md")
    options = parser.parse_args()
    with fresh_project({"preset": "shapes"}) as project:
        report = measure(project.root, options.clips, options.vae_steps, options.denoiser_steps)
    report.show(Console())
    if options.write:
        report.write()


def measure(root: Path, clips: int, vae_steps: int, denoiser_steps: int) -> Report:
    """Train every row in the project that lies in `root`."""
    short = (
        f"sources.videos=made:shapes?clips={clips}",
        *_length("vae.schedule", vae_steps),
        *_length("stages.video.schedule", denoiser_steps),
    )
    vaes, denoisers = [], []
    for lever in VAE_LEVERS:
        project = _set(root, (*short, *lever.undone))
        run(project, "+wfvae")
        vaes.append(_vae_row(lever, project, current(project, "wfvae", Trained)))
    for lever in DENOISER_LEVERS:
        project = _set(root, (*short, *lever.undone))
        run(project, "+truth")
        denoiser, truth = current(project, "denoiser_video", Trained), current(project, "truth", TruthResults)
        denoisers.append(_denoiser_row(lever, denoiser, truth))
    return report(vaes, denoisers, vae_steps, denoiser_steps)


def report(
    vaes: list[tuple[str, ...]], denoisers: list[tuple[str, ...]], vae_steps: int, denoiser_steps: int
) -> Report:
    """Of each list the first row is the preset's own."""
    kept, *others = (row[-1] for row in denoisers)
    undone = (f"with {lever.name} {share}" for lever, share in zip(DENOISER_LEVERS[1:], others, strict=True))
    return Report(
        "Learning on the made world",
        f"After {vae_steps} steps of the VAE and {denoiser_steps} of the denoiser {kept} of the videos keep their "
        f"direction; {'; '.join(undone)}.",
        ("choice", "PSNR, dB, or loss", *SHOWN),
        [*vaes, *denoisers],
        (
            "VAE rows: the share of clips of held-out combinations off whose reconstructions the truth is read.",
            "Denoiser rows: the share of videos of held-out prompts that show their word; chance is 25, 33 and 25 %. "
            "Under other weights of timesteps a loss is another measure.",
        ),
    )


def _length(schedule: str, steps: int) -> tuple[str, ...]:
    return tuple(f"{schedule}.{key}={steps}" for key in ("steps", "checkpoint_every", "validate_every"))


def _set(root: Path, assignments: tuple[str, ...]) -> Project:
    (root / "params.yaml").write_text("preset: shapes\n", encoding="utf-8")
    change(root, None, list(assignments))
    return Project(root)


def _vae_row(lever: Lever, project: Project, vae: Artifact[Trained]) -> tuple[str, ...]:
    terms = project.settings.evaluation.model_dump(mode="json")
    clips, taken = reconstructed(project, vae, terms), measures(project)
    found = shares(video_row("reconstructions", None, name, Video(frames, said), taken) for name, said, frames in clips)
    return (f"VAE: {lever.name}", f"{vae.results.best:.1f}", *_percent(found))


def _denoiser_row(lever: Lever, denoiser: Artifact[Trained], truth: Artifact[TruthResults]) -> tuple[str, ...]:
    found = {row.measure: row.share for row in truth.results.best}
    return (f"denoiser: {lever.name}", f"{denoiser.results.best:.3f}", *_percent(found))


def _percent(found: dict[str, Any]) -> tuple[str, ...]:
    return tuple(f"{found[word]:.0%}" for word in SHOWN)


if __name__ == "__main__":
    main()
