"""What people said, for good: one JSON object a line, to which lines are only ever added."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


class JsonLines:
    """`error` is raised for what is wrong with the file; `writer` is what holds it, such as `audit`."""

    def __init__(self, path: Path, error: type[Exception], writer: str) -> None:
        self.path, self._error, self._writer = path, error, writer

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the file for one writer, and cut off a last line that a crash left half-written."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise self._error(f"{self.path} is held by another {self._writer}: end that one first") from None
            file.truncate(self.path.read_bytes().rfind(b"\n") + 1)
            yield

    def append(self, value: Mapping[str, object]) -> None:
        """Add a line; it is on the disk when this returns."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(value) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def lines(self) -> Iterator[tuple[int, str]]:
        """(number from 1, text) of all in order. An unfinished last line is none."""
        if self.path.is_file():
            yield from enumerate(self.path.read_text(encoding="utf-8").split("\n")[:-1], 1)

    def damaged(self, number: int, why: object) -> Exception:
        """What to raise about a line that is not one of ours."""
        return self._error(f"{self.path}, line {number}: {why}")
