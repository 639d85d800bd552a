"""Captions that came with the files."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from ops.data.captioning.base import Item, NoCaption, Written
from ops.data.captioning.prompts import recognised


@dataclass(frozen=True)
class SidecarCaptioner:
    """Takes the captions that came with the files; of several, one by seed. What is written in an image is added."""

    seed: int
    workers: int = 1
    batch_size: int = 1

    def identity(self) -> dict[str, object]:
        return {"name": "sidecar", "seed": self.seed}

    def write(self, items: Sequence[Item]) -> list[Written | NoCaption]:
        return [self._of(item) for item in items]

    def _of(self, item: Item) -> Written | NoCaption:
        if not item.captions:
            return NoCaption(item.caption_error or f"no caption came with {item.name}")
        caption = random.Random(f"{self.seed}:{item.item_id}").choice(item.captions)
        return Written(f"{caption} {recognised(item.recognised_text)}" if item.recognised_text else caption)
