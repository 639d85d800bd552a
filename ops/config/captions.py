"""Who writes captions."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ops.config.section import Positive, Section
from ops.runtime.device import Accelerator


class CaptionRequests(Section):
    """How a server is asked (captioner `endpoint`)."""

    workers: Positive = 8
    """Requests that are under way at once."""
    timeout_seconds: Annotated[float, Field(gt=0)] = 120.0
    """Of one request, from its start to the last byte of the answer."""
    tries: Positive = 4
    pause_seconds: Annotated[float, Field(ge=0)] = 1.0
    """Before the second try; doubled before each further one, and never shorter than the server's Retry-After."""
    give_up_after: Positive = 16
    """So many items in a row without a caption are taken for a fault of the server, and end the step."""
    input_price: Annotated[float, Field(ge=0)] | None = None
    """Of a million tokens; with both prices the cost of each caption is recorded."""
    output_price: Annotated[float, Field(ge=0)] | None = None


class LocalCaptions(Section):
    """How a model runs here (captioner `transformers`)."""

    batch_size: Positive = 4
    dtype: Literal["float32", "bfloat16", "float16"] = "bfloat16"
    device: Accelerator | None = None
    """`launch.accelerator`, if null."""


class Captions(Section):
    captioner: Literal["sidecar", "endpoint", "transformers"] = "sidecar"
    endpoint: str | None = None
    """Base URL of an OpenAI-compatible vision-language server; its key is read from SORAFLOW_CAPTION_KEY."""
    model: str | None = None
    """The server's name of it; for `transformers`, a folder in Hugging Face's layout with safetensors."""
    prompt: str = (
        "Describe this video in as much detail as possible: objects, scenery, animals, people and camera movement, "
        "with changes in the order in which they happen. Begin directly with the content, in a single line."
    )
    image_prompt: str = "Analyze the image in a comprehensive and detailed manner."
    text_prompt: str = (
        'Combine this rough caption: "{caption}", analyze the image in a comprehensive and detailed manner. "{text}" '
        "can be recognized in the image."
    )
    """For images with writing in them (`collection: text`) that came with a caption."""
    keep_given: tuple[Literal["video", "captioned", "text", "people"], ...] = ("captioned",)
    """Videos, or collections of images, of which captions that came with the files are taken as they are; only items
    without one are shown to the model."""
    frames: Positive = 8
    """Of a clip, evenly spread."""
    side: Positive = 448
    """Frames are reduced to this many pixels of their longer side."""
    max_tokens: Positive = 512
    requests: CaptionRequests = CaptionRequests()
    local: LocalCaptions = LocalCaptions()

    @model_validator(mode="after")
    def _is_complete(self) -> Captions:
        if self.captioner == "endpoint" and not (self.endpoint and self.model):
            raise ValueError("captioner 'endpoint' needs 'endpoint' and 'model'")
        if self.captioner == "transformers" and not self.model:
            raise ValueError("captioner 'transformers' needs 'model', the folder of a vision-language model")
        if missing := [place for place in ("{caption}", "{text}") if place not in self.text_prompt]:
            raise ValueError(f"text_prompt has no place for {' and '.join(missing)}")
        return self
