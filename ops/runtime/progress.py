"""How far long work has come: one small file per asset, replaced as it moves.

The file is what progress bars draw and what tells a slow job from a dead one: it is the heartbeat.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from ops.runtime.files import write_json
from ops.runtime.project import Project

T = TypeVar("T")
SECONDS_BETWEEN_WRITES = 0.5


class Progress:
    """`done` of `total` units of an asset's work, with a short note such as 'loss 0.41'."""

    def __init__(self, path: Path, asset: str, total: int, unit: str) -> None:
        self._path, self._written = path, -math.inf
        self._state = {"asset": asset, "done": 0, "total": total, "unit": unit, "note": ""}
        self.update(0)

    @classmethod
    def of(cls, project: Project, asset: str, total: int, unit: str) -> Progress:
        return cls(project.var / "progress" / f"{asset}.json", asset, total, unit)

    def update(self, done: int, note: str = "") -> None:
        """State how much is done. Cheap: written at most twice a second, and always at the end."""
        self._state.update(done=done, note=note)
        now = time.monotonic()
        if done in (0, self._state["total"]) or now - self._written >= SECONDS_BETWEEN_WRITES:
            write_json(self._path, {**self._state, "updated_at": time.time()})
            self._written = now

    def over(self, items: Iterable[T]) -> Iterator[T]:
        """Pass `items` on, counting each when the next one is asked for."""
        for done, item in enumerate(items, start=1):
            yield item
            self.update(done)
