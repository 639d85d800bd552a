"""Captions that cost something, one JSON line each, so that a stopped run goes on where it was."""

from __future__ import annotations

import hashlib
import json
from array import array
from dataclasses import asdict
from pathlib import Path
from threading import Lock

import numpy as np

from ops.data.captioning.base import Captioner, Item, Written
from ops.runtime.files import Document, digest
from ops.runtime.project import Project


class CaptionMemory:
    """A file for each identity of a captioner; none for captions that came with the files, which are free.

    Several threads may keep captions at once.
    """

    def __init__(self, path: Path | None) -> None:
        self._path, self._lock = path, Lock()
        self._known = _Lines(path) if path and path.is_file() else None

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
        """What was written of it before this memory was opened."""
        return self._known.find(_key(item)) if self._known else None

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


class _Lines:
    """Where in the file the line of each key begins, in 16 bytes a line; of equal keys the last one counts."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        hashes, begins, at = array("q"), array("q"), 0
        for line in self._file:
            if (found := _parsed(line)) is not None:
                hashes.append(_hash(found[0]))
                begins.append(at)
            at += len(line)
        order = np.argsort(np.asarray(hashes), kind="stable")
        self._hashes, self._begins = np.asarray(hashes)[order], np.asarray(begins)[order]

    def find(self, key: str) -> Written | None:
        first, last = (np.searchsorted(self._hashes, _hash(key), side) for side in ("left", "right"))
        for begin in reversed(self._begins[first:last].tolist()):
            self._file.seek(begin)
            found = _parsed(self._file.readline())
            if found is not None and found[0] == key:  # another key may have the same hash
                return _written(found[1])
        return None


def _hash(key: str) -> int:
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big", signed=True)


def _parsed(line: bytes) -> tuple[str, str | Document] | None:
    try:
        key, found = json.loads(line)
    except ValueError:
        return None  # the line that a killed process was writing
    return key, found


def _written(found: str | Document) -> Written:
    return Written(found) if isinstance(found, str) else Written(**found)  # once, only the text was kept
