"""Who writes the caption of a clip or an image."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from ops.data.captioning.prompts import Prompts, recognised
from ops.runtime.project import Project


class NoCaption(ValueError):
    """There is none for this item; the message is the reason for its row."""


@dataclass(frozen=True)
class Item:
    """What is to be captioned. `frames(n)` decodes up to n frames spread over it, each [H, W, 3] uint8.

    `captions` came with its file; `collection` is an image's, and `recognised_text` what is written in it.
    """

    item_id: str
    kind: Literal["video", "image"]
    name: str
    captions: tuple[str, ...]
    caption_error: str | None
    frames: Callable[[int], list[np.ndarray]]
    collection: str | None = None
    recognised_text: tuple[str, ...] = ()


@dataclass(frozen=True)
class Written:
    """A caption as it was written, not tidied, and what it took. None stands for what nobody has said."""

    text: str
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None
    """In the money of `captions.requests.input_price` and `output_price`."""
    note: str | None = None


class Captioner(Protocol):
    @property
    def workers(self) -> int:
        """How many calls of `write` may run at once."""
        ...

    @property
    def batch_size(self) -> int:
        """How many items one call takes."""
        ...

    def identity(self) -> dict[str, Any]:
        """All that decides what it writes, as JSON: another identity, another caption."""
        ...

    def write(self, items: Sequence[Item]) -> list[Written | NoCaption]:
        """The caption of each item, or why it has none. Any error that is raised stops the whole step."""
        ...


@dataclass(frozen=True)
class SidecarCaptioner:
    """Takes the captions that came with the files; of several, one by seed. What is written in an image is added."""

    seed: int
    workers: int = 1
    batch_size: int = 1

    def identity(self) -> dict[str, Any]:
        return {"name": "sidecar", "seed": self.seed}

    def write(self, items: Sequence[Item]) -> list[Written | NoCaption]:
        return [self._of(item) for item in items]

    def _of(self, item: Item) -> Written | NoCaption:
        if not item.captions:
            return NoCaption(item.caption_error or f"no caption came with {item.name}")
        caption = random.Random(f"{self.seed}:{item.item_id}").choice(item.captions)
        return Written(f"{caption} {recognised(item.recognised_text)}" if item.recognised_text else caption)


def captioner(project: Project) -> Captioner:
    """The one that the recipe names."""
    settings, seed = project.settings.captions, project.settings.seed
    if settings.captioner == "sidecar":
        return SidecarCaptioner(seed)
    assert settings.model is not None  # checked with the settings
    seen: dict[str, Any] = {"frames": settings.frames, "side": settings.side, "max_tokens": settings.max_tokens}
    if settings.captioner == "transformers":
        from ops.data.captioning.local import TransformersCaptioner

        local = settings.local
        seen |= {"batch_size": local.batch_size, "dtype": local.dtype}
        device = local.device or project.settings.launch.accelerator
        return TransformersCaptioner(project.root / settings.model, Prompts.of(settings), device=device, **seen)
    from ops.data.captioning.endpoint import EndpointCaptioner

    assert settings.endpoint is not None
    seen |= settings.requests.model_dump()
    return EndpointCaptioner(settings.endpoint, settings.model, Prompts.of(settings), seed, **seen)
