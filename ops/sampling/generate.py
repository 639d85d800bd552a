"""`soraflow generate`: a prompt becomes an MP4, with everything that made it written beside it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops.runtime.files import write_json
from ops.runtime.project import Project
from ops.sampling.request import Request, SamplingError

if TYPE_CHECKING:
    from ops.sampling.model import VideoModel


ITS_LANGUAGE = "write it in the language that the encoder was trained on"


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
    checkpoint: str = "champion",
    seed: int = 0,
    steps: int | None = None,
    guidance: float | None = None,
    frames: int | None = None,
    height: int | None = None,
    width: int | None = None,
    fps: float | None = None,
    sampler: str | None = None,
    negative_prompt: str | None = None,
    on_step: Callable[[int, int], None] = lambda done, total: None,
) -> Generated:
    """Write the video of `prompt` to `output`, and its settings to the same name with `.json`.

    What is None comes from the recipe's evaluation settings; for `checkpoint` see `ops.sampling.model_name.resolve`.
    `on_step` hears (done, total) denoising steps. A prompt that is too long is cut, with a note.

    Raises:
        SamplingError: something asked for cannot be made; the message says what can.
        MissingArtifact, UnknownVersion: there is no such model, for example no champion yet.
    """
    from ops.sampling.model import VideoModel
    from ops.sampling.model_name import resolve

    if output.suffix.lower() != ".mp4":
        raise SamplingError(f"the output is {output.name}, but must end in .mp4")
    wanted = Request.of(
        project.settings.evaluation,
        prompt,
        seed,
        steps=steps,
        guidance=guidance,
        frames=frames,
        height=height,
        width=width,
        fps=fps,
        sampler=sampler,
        negative_prompt=negative_prompt,
    )
    request, notes = wanted.checked()
    parts, label = resolve(project, checkpoint)
    started = time.monotonic()
    notes = render(VideoModel(project, parts), request, output, on_step, notes)
    return Generated(output, output.with_suffix(".json"), label, time.monotonic() - started, tuple(notes))


def render(
    model: VideoModel,
    request: Request,
    output: Path,
    on_step: Callable[[int, int], None] = lambda done, total: None,
    notes: Sequence[str] = (),
) -> list[str]:
    """Sample one checked request into `output` and its settings file; returns `notes` and its own for people.

    Raises:
        SamplingError: the text encoder can read nothing of the prompt.
    """
    from ops.data.text_encoder import is_readable
    from ops.runtime.mp4 import codec, write_mp4
    from ops.sampling.denoise import draw_latent

    prompt, negative = model.encode_text([request.prompt, request.negative_prompt])
    said = list(notes)
    reader = model.encode_text.settings
    if not prompt.read:
        raise SamplingError(
            f"the text encoder {reader.weights} can read nothing of the prompt {request.prompt!r}: {ITS_LANGUAGE}"
        )
    if not is_readable(request.prompt, reader):
        said.append(f"the text encoder {reader.weights} can read only '{prompt.read}' of the prompt: {ITS_LANGUAGE}")
    if prompt.truncated:
        said.append(f"the prompt is longer than {model.parts.max_tokens} tokens; the rest was not read")
    latent = draw_latent(
        model.denoiser,
        request,
        model.channels,
        model.diffusion,
        prompt.embedding,
        negative.embedding,
        model.device,
        on_step,
    )
    write_mp4(output, model.decode(latent), request.fps)
    write_json(output.with_suffix(".json"), _record(model, request, codec()[0], said))
    return said


def _record(model: VideoModel, request: Request, codec: str, notes: list[str]) -> dict[str, Any]:
    from ops.training.source_code import git_state

    return {
        "request": request.as_json(),
        "model": asdict(model.parts),
        "codec": codec,
        "device": str(model.device),
        "code": git_state(model.project.root),
        "notes": notes,
    }
