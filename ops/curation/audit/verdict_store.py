"""What people judged, for good: one JSON line a judgement in var/audit/verdicts.jsonl. Lines are only ever added."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from ops.runtime.project import Project

Entry = Literal["accept", "reject", "undo"]
ACCEPT: Entry = "accept"
ENTRIES = get_args(Entry)


class AuditError(ValueError):
    """An audit that cannot begin or go on; the message says what to do."""


@dataclass(frozen=True)
class Judgement:
    """`verdict` on the clip, or `undo` of the one before; `rejected_by` is what the filter had decided then, and
    `version` the table's in which it had."""

    clip_id: str
    verdict: Entry
    time: str
    """UTC, ISO 8601."""
    version: str
    rejected_by: str | None


class VerdictStore:
    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of(cls, project: Project) -> VerdictStore:
        return cls(project.var / "audit" / "verdicts.jsonl")

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the file for one writer, and cut off a last line that a crash left half-written.

        Raises:
            AuditError: another process holds it.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise AuditError(f"{self.path} is held by another audit: end that one first") from None
            file.truncate(self.path.read_bytes().rfind(b"\n") + 1)
            yield

    def append(self, clip_id: str, verdict: Entry, version: str, rejected_by: str | None) -> Judgement:
        """Add a line; it is on the disk when this returns."""
        judgement = Judgement(clip_id, verdict, datetime.now(UTC).isoformat(), version, rejected_by)
        line = json.dumps(asdict(judgement)) + "\n"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        return judgement

    def read(self) -> list[Judgement]:
        """All lines in order, undone ones and their undoing included. An unfinished last line is no judgement.

        Raises:
            AuditError: a line is not one of ours.
        """
        if not self.path.is_file():
            return []
        lines = self.path.read_text(encoding="utf-8").split("\n")[:-1]
        return [self._parsed(number, line) for number, line in enumerate(lines, 1)]

    def standing(self) -> dict[str, Judgement]:
        """{clip_id: its last judgement, unless undone}, the latest at the end.

        A clip's id names its content, frames and crop, so a verdict holds whatever table the clip was judged in.
        """
        last: dict[str, Judgement] = {}
        for judgement in self.read():
            last.pop(judgement.clip_id, None)
            if judgement.verdict != "undo":
                last[judgement.clip_id] = judgement
        return last

    def _parsed(self, number: int, line: str) -> Judgement:
        try:
            judgement = Judgement(**json.loads(line))
        except (json.JSONDecodeError, TypeError) as error:
            raise AuditError(f"{self.path}, line {number}: not a judgement ({error}); remove the line") from None
        if judgement.verdict not in ENTRIES:
            raise AuditError(f"{self.path}, line {number}: verdict {judgement.verdict!r} is not one of {ENTRIES}")
        return judgement
