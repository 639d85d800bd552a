"""A request becomes an MP4, with everything that made it written beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ops.runtime.files import write_json
from ops.sampling.request import Request, SamplingError

if TYPE_CHECKING:
    from models.dit.sequence import SequenceGroup
    from ops.generation.given_pixels import GivenPixels
    from ops.generation.model import VideoModel


ITS_LANGUAGE = "write it in the language that the encoder was trained on"


def render(
    model: VideoModel,
    request: Request,
    output: Path,
    on_step: Callable[[int, int], None] = lambda done, total: None,
    notes: Sequence[str] = (),
    ranks: SequenceGroup | None = None,
    given: GivenPixels | None = None,
) -> list[str]:
    """Sample one checked request into `output` and its settings file; returns `notes` and its own for people.

    Of `ranks` that make it together, all of which call this alike, the first writes. `given` are the request's given
    frames, where they have been read already.

    Raises:
        SamplingError: the text encoder can read nothing of the prompt, or frames are given that cannot be read or to a
            model that was not trained on any.
    """
    from ops.data.text_encoder import is_readable
    from ops.generation.given_pixels import read_given, require_condition
    from ops.runtime.mp4 import codec, write_mp4
    from ops.sampling.denoise import draw_latent

    require_condition(model.project, model.parts, request)
    if model.takes_given_frames and given is None:
        given = read_given(request)
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
        ranks.calling(model.denoiser) if ranks else model.denoiser,
        request,
        model.scale.channels,
        model.diffusion,
        prompt.embedding,
        negative.embedding,
        model.device,
        on_step,
        model.conditions(given) if given else None,
    )
    if ranks and ranks.rank > 0:
        return said
    write_mp4(output, model.decode(latent), request.fps)
    write_json(output.with_suffix(".json"), _record(model, request, codec()[0], said))
    return said


def _record(model: VideoModel, request: Request, codec: str, notes: list[str]) -> dict[str, object]:
    from ops.runtime.source_code import git_state

    return {
        "request": request.as_json(),
        "model": model.parts.model_dump(mode="json"),
        "codec": codec,
        "device": str(model.device),
        "code": git_state(model.project.root),
        "notes": notes,
    }
