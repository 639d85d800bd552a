"""What a model's text encoder makes of a request's words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ops.sampling.denoise import Texts
from ops.sampling.request import Request, SamplingError

if TYPE_CHECKING:
    from ops.generation.model import VideoModel

ITS_LANGUAGE = "write it in the language that the encoder was trained on"


def read_words(model: VideoModel, request: Request, notes: Sequence[str] = ()) -> tuple[Texts, list[str]]:
    """What the denoiser is told, and `notes` with what is to be said of it.

    Each request's two texts are read together and no others with them, so that a video does not depend on its company.

    Raises:
        SamplingError: the text encoder can read nothing of the prompt.
    """
    from ops.data.text_encoder import is_readable

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
    return Texts(prompt.embedding, negative.embedding), said
