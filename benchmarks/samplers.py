"""What each sampler makes of the same prompts and noise in few steps: how many videos of the made world show what their
prompt says, read off them.

`python -m benchmarks.samplers PROJECT` takes a finished project of the preset `demo` or `shapes`, and leaves it as it
is; `--seeds N` for more or fewer videos.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from benchmarks.report import Report
from ops.evaluation.truth import measures, shares, video_row
from ops.generation.computed import Computed
from ops.generation.drawing import latents_of
from ops.generation.model import VideoModel
from ops.generation.prompts import read_words
from ops.made_world.scenes import of_caption
from ops.metrics.base import Video
from ops.metrics.truth import ALL
from ops.release.model_name import resolve
from ops.runtime.project import Project
from ops.sampling.request import Request
from ops.sampling.samplers import SAMPLERS, STOCHASTIC

SHOWN = ("colour", "shape", "direction", ALL)
STEPS = (3, 5, 10, 20)
RESCALED = 0.7
CONVERGED = {"sampler": "unipc", "steps": 200}
"""Where the noise leads in the end, by samplers that add none."""
APART = "grey levels apart"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("project", type=Path, help="a finished project of the made world")
    parser.add_argument("--checkpoint", default="denoiser_video", help="whose videos, as `soraflow generate` takes it")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--write", action="store_true", help="put the figures into docs/benchmarks.md")
    options = parser.parse_args()
    project = Project(options.project)
    evaluation, figures = project.settings.evaluation, measure(project, options.checkpoint, range(options.seeds))
    found = report(figures, prompts(project), project.settings.name, evaluation.guidance, options.seeds)
    found.show(Console())
    if options.write:
        found.write()


def ways() -> Iterator[tuple[str, dict[str, object]]]:
    """Each row: its name, and what it changes of a request."""
    for steps in STEPS:
        for name in SAMPLERS:
            yield f"{name}, {steps} steps", {"sampler": name, "steps": steps}
    yield f"ddim, {STEPS[-1]} steps, rescaled {RESCALED}", {"steps": STEPS[-1], "guidance_rescale": RESCALED}


def measure(project: Project, checkpoint: str, seeds: Sequence[int]) -> dict[str, dict[str, float]]:
    """Row → measure → the share of videos that keep it, and APART for rows without noise of their own: the mean
    absolute difference from the same noise's video at CONVERGED, 0 to 255. The noise of a prompt and seed is the same
    in every row."""
    model = VideoModel(project, resolve(project, checkpoint)[0])
    taken = measures(project)

    def made(changes: dict[str, object]) -> Iterator[tuple[str, NDArray[np.uint8]]]:
        for seed in seeds:
            asked = [Request.of(project.settings.evaluation, prompt, seed, **changes) for prompt in prompts(project)]
            yield from zip((request.prompt for request in asked), drawn(model, asked), strict=True)

    ends = [frames.astype(np.int16) for _, frames in made(CONVERGED)]
    found = {}
    for name, changes in ways():
        videos = list(made(changes))
        rows = [video_row("samples", None, name, Video(frames, prompt), taken) for prompt, frames in videos]
        found[name] = shares(rows)
        if changes.get("sampler") not in STOCHASTIC and "guidance_rescale" not in changes:
            apart = [np.abs(frames - end).mean() for (_, frames), end in zip(videos, ends, strict=True)]
            found[name][APART] = float(np.mean(apart))
    return found


def prompts(project: Project) -> list[str]:
    """Those of the recipe that the made world knows."""
    return [prompt for prompt in project.settings.evaluation.prompts if of_caption(prompt)]


def drawn(model: VideoModel, requests: Sequence[Request]) -> Iterator[NDArray[np.uint8]]:
    """Frames [T, H, W, 3] of each, made together."""
    texts = [read_words(model, request)[0] for request in requests]
    nothing = [None] * len(requests)
    latents = latents_of(model, requests, texts, nothing, Computed(), lambda done, total: None)
    for place in range(len(requests)):
        yield model.decode(latents[place : place + 1])


def report(
    found: dict[str, dict[str, float]], asked: Sequence[str], preset: str, guidance: float, seeds: int
) -> Report:
    few, many = f"{STEPS[-2]} steps", f"{STEPS[-1]} steps"
    apart = [f"{name} {found[f'{name}, {few}'][APART]:.2f}" for name in SAMPLERS if name not in STOCHASTIC]
    kept = [found[f"{name}, {steps}"][ALL] for name in SAMPLERS for steps in (few, many)]
    return Report(
        "Samplers",
        f"In {few} and in {many} {min(kept):.0%} to {max(kept):.0%} of the videos keep all of their prompt, by "
        f"whichever sampler. After {few} they are so far from where their noise leads, in grey levels: "
        f"{', '.join(apart)}.",
        ("sampler", *SHOWN, APART),
        [
            (name, *(f"{values[word]:.0%}" for word in SHOWN), f"{values[APART]:.2f}" if APART in values else "")
            for name, values in found.items()
        ],
        (
            f"Share of {len(asked) * seeds} videos a row: {len(asked)} held-out prompts by {seeds} seeds, guidance "
            f"{guidance:g}, by a denoiser of the preset `{preset}`; the noise is the same in each row. Chance is 25, "
            "33 and 25 %.",
            f"The last column: the mean difference, of 255, from the video that {CONVERGED['sampler']} makes of the "
            f"same noise in {CONVERGED['steps']} steps; those that add noise of their own lead to other videos.",
            "Every sampler asks the model once a step, so that rows of as many steps take as long. Which shapes are "
            "wrong is the model's doing, prompt by prompt; rows that differ by a few of the videos do not differ.",
            f"`python -m benchmarks.samplers PROJECT --seeds {seeds}`",
        ),
    )


if __name__ == "__main__":
    main()
