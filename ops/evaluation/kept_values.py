"""What was measured of a video before, by its content."""

from __future__ import annotations

import json
from pathlib import Path

from ops.metrics.base import Value
from ops.runtime.files import write_json


class KeptValues:
    """What was measured of one video before, by its content."""

    def __init__(self, folder: Path, content: str) -> None:
        """`content`: the sha256 of the video."""
        self._path = folder / f"{content}.json"
        self._rows = json.loads(self._path.read_text(encoding="utf-8")) if self._path.is_file() else {}

    def get(self, key: str) -> Value | None:
        return Value(**self._rows[key]) if key in self._rows else None

    def put(self, key: str, value: Value) -> None:
        self._rows[key] = {"value": value.value, "terms": dict(value.terms), "reason": value.reason}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_json(self._path, self._rows)
