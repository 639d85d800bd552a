"""Captions that cost something, one JSON line each, so that a stopped run goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from threading import Lock
from typing import Any

from ops.data.captioning.base import Captioner, Item, Written
from ops.runtime.files import digest
from ops.runtime.project import Project


class CaptionMemory:
    """A file for each identity of a captioner; none for captions that came with the files, which are free.

    Several threads may keep captions at once.
    """

    def __init__(self, path: Path | None) -> None:
        self._path, self._lock = path, Lock()
        self._known = dict(_lines(path.read_text("utf-8").splitlines())) if path and path.is_file() else {}

    @classmethod
    def of(cls, project: Project, writer: Captioner) -> CaptionMemory:
        identity = writer.identity()
        free = identity["name"] == "sidecar"
        return cls(None if free else project.var / "captions" / f"{digest(identity)}.jsonl")

    def __enter__(self) -> CaptionMemory:
        if self._path:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            torn = bool(self._path.is_file() and (content := self._path.read_bytes()) and not content.endswith(b"\n"))
            self._file = self._path.open("a", encoding="utf-8")
            if torn:  # by a process that was killed: what comes next must not be a part of its line
                self._file.write("\n")
        return self

    def __exit__(self, *_: object) -> None:
        if self._path:
            self._file.close()

    def recall(self, item: Item) -> Written | None:
        return self._known.get(_key(item))

    def keep(self, item: Item, written: Written) -> None:
        if self._path:
            with self._lock:
                self._file.write(json.dumps([_key(item), asdict(written)]) + "\n")
                self._file.flush()


def _key(item: Item) -> str:
    """An item that is asked about in its own words is known by these, too."""
    if not item.recognised_text:
        return item.item_id
    return f"{item.item_id}:{digest([item.captions[:1], item.recognised_text])}"


def _lines(lines: Iterable[str]) -> Iterator[tuple[str, Written]]:
    for line in lines:
        try:
            key, found = json.loads(line)
        except ValueError:
            continue  # the line that a killed process was writing
        yield key, _written(found)


def _written(found: Any) -> Written:
    return Written(found) if isinstance(found, str) else Written(**found)  # once, only the text was kept
