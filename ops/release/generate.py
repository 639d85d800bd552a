"""`soraflow generate`: the model that a name stands for makes a video of a prompt."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

from ops.runtime.project import Project
from ops.sampling.request import Chosen, Given, Request, SamplingError


@dataclass(frozen=True)
class Generated:
    """A finished video: the file, its settings file, and what a person should know about it."""

    path: Path
    settings: Path
    model: str
    seconds: float
    notes: tuple[str, ...]


def generate(
    project: Project,
    prompt: str,
    output: Path,
    checkpoint: str | None = None,
    seed: int = 0,
    given: Given | None = None,
    ranks: int = 1,
    on_step: Callable[[int, int], None] = lambda done, total: None,
    **chosen: Unpack[Chosen],
) -> Generated:
    """Write the video of `prompt` to `output`, and its settings to the same name with `.json`.

    What is not chosen comes from the recipe's evaluation settings; for `checkpoint` see
    `ops.release.model_name.resolve`. No name is the champion or, where frames are given, the last finished stage that
    was trained on given frames. `on_step` hears (done, total) denoising steps, where there is one rank; several `ranks`
    of this node, each on an accelerator of its own, make the video together. A prompt that is too long is cut, with a
    note.

    Raises:
        SamplingError: something asked for cannot be made; the message says what can.
        MissingArtifact, UnknownVersion: there is no such model, for example no champion yet, or no stage on given
            frames.
    """
    from ops.generation.given_pixels import read_given, require_condition
    from ops.generation.model import VideoModel
    from ops.generation.render import render
    from ops.generation.together import render_together
    from ops.release.model_name import last_on_given_frames, resolve

    if output.suffix.lower() != ".mp4":
        raise SamplingError(f"the output is {output.name}, but must end in .mp4")
    request, notes = Request.of(project.settings.evaluation, prompt, seed, given, **chosen).checked()
    pixels = read_given(request) if given else None
    if pixels:
        notes += pixels.notes
    parts, label = resolve(project, checkpoint or (last_on_given_frames(project) if given else "champion"))
    require_condition(project, parts, request)
    started = time.monotonic()
    if ranks > 1:
        notes = render_together(project, parts, request, output, ranks, tuple(notes))
    else:
        notes = render(VideoModel(project, parts), request, output, on_step, notes, given=pixels)
    return Generated(output, output.with_suffix(".json"), label, time.monotonic() - started, tuple(notes))
