"""The loss curve as a file: one JSON line a step, in the training's folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from ops.runtime.files import replacing


class MetricsFile:
    """Appends lines; opened at a step, it drops what an interrupted attempt wrote after that step."""

    def __init__(self, path: Path, last_step: int | None) -> None:
        kept = [] if last_step is None else [line for line in read(path) if line["step"] <= last_step]
        self._path = path
        with replacing(path) as temporary:
            temporary.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")
        self._file = path.open("a", encoding="utf-8")

    def write(self, step: int, figures: Mapping[str, float]) -> None:
        self._file.write(json.dumps({"step": step, **figures}) + "\n")
        self._file.flush()

    def lines(self) -> list[dict[str, float]]:
        """All that was written so far."""
        return read(self._path)


def read(path: Path) -> list[dict[str, float]]:
    """All whole lines; a last one that was cut off is left out."""
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8")
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]
