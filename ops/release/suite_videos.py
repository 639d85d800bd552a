"""The videos of VBench's prompts by a model: the number of each is its seed, and what is there is not made again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from ops.evaluation.vbench.suite import SuitePrompt, file_name
from ops.runtime.project import Project
from ops.sampling.request import Request


def make_suite(
    project: Project,
    checkpoint: str,
    prompts: Iterable[SuitePrompt],
    folder: Path,
    told: Callable[[int, int], None] = lambda done, total: None,
) -> list[str]:
    """Make what is missing of the prompts' videos, with the sampler and size of the recipe's evaluation settings; for
    `checkpoint` see `ops.release.model_name.resolve`. `told` is told how many are there. Returns notes for people.

    Files: `PROMPT-NUMBER.mp4` as VBench looks for them, each with its settings beside it.

    Raises:
        SamplingError: a video cannot be made as the recipe says.
        MissingArtifact, UnknownVersion: there is no such model.
    """
    from ops.generation.model import VideoModel
    from ops.generation.render import render
    from ops.release.model_name import resolve

    wanted = [(prompt.text, number) for prompt in prompts for number in range(prompt.videos)]
    parts, _ = resolve(project, checkpoint)
    model: VideoModel | None = None
    notes: list[str] = []
    folder.mkdir(parents=True, exist_ok=True)
    for done, (text, number) in enumerate(wanted, start=1):
        path = folder / file_name(text, number)
        if not (path.is_file() and path.with_suffix(".json").is_file()):
            request, said = Request.of(project.settings.evaluation, text, number).checked()
            model = model or VideoModel(project, parts)
            notes += render(model, request, path, notes=said)
        told(done, len(wanted))
    return sorted(set(notes))
