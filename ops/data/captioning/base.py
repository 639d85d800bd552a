"""What a captioner is: it is given items, and writes a caption for each or says why there is none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np


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

    def identity(self) -> dict[str, object]:
        """All that decides what it writes, as JSON: another identity, another caption."""
        ...

    def write(self, items: Sequence[Item]) -> list[Written | NoCaption]:
        """The caption of each item, or why it has none. Any error that is raised stops the whole step."""
        ...
