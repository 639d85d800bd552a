"""Nothing to look at."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from torch import nn


@dataclass(frozen=True)
class NoPictures:
    """`of` is what none are drawn of."""

    of: str

    def draw(self, model: nn.Module, path: Path, left_out: Collection[str], working: Callable[[], None]) -> bool:
        return False

    def notes(self) -> list[str]:
        return [f"no pictures are drawn {self.of}"]
