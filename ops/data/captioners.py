"""Who writes the caption of a clip or an image."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from ops.config import Captions
from ops.data.caption_endpoint import EndpointCaptioner


class NoCaption(ValueError):
    """There is none for this item; the message is the reason for its row."""


@dataclass(frozen=True)
class Item:
    """What is to be captioned. `frames(n)` decodes up to n frames spread over it, each [H, W, 3] uint8."""

    item_id: str
    kind: Literal["video", "image"]
    name: str
    captions: tuple[str, ...]
    caption_error: str | None
    frames: Callable[[int], list[np.ndarray]]


class Captioner(Protocol):
    @property
    def workers(self) -> int:
        """How many captions may be asked for at once."""
        ...

    def identity(self) -> dict[str, Any]:
        """All that decides what it writes, as JSON: another identity, another caption."""
        ...

    def caption(self, item: Item) -> str:
        """The caption as written, not tidied.

        Raises:
            NoCaption: when this item cannot be captioned; any other error stops the whole step.
        """
        ...


@dataclass(frozen=True)
class SidecarCaptioner:
    """Takes the captions that came with the files; of several, one by seed."""

    seed: int
    workers: int = 1

    def identity(self) -> dict[str, Any]:
        return {"name": "sidecar", "seed": self.seed}

    def caption(self, item: Item) -> str:
        if not item.captions:
            raise NoCaption(item.caption_error or f"no caption came with {item.name}")
        return random.Random(f"{self.seed}:{item.item_id}").choice(item.captions)


def captioner(settings: Captions, seed: int) -> Captioner:
    if settings.captioner == "sidecar":
        return SidecarCaptioner(seed)
    assert settings.endpoint is not None  # checked with the settings
    assert settings.model is not None
    return EndpointCaptioner(settings.endpoint, settings.model, settings.prompt, seed)
