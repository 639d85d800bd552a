"""What people judged, for good: one JSON line a judgement in var/audit/verdicts.jsonl. Lines are only ever added."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from ops.runtime.json_lines import JsonLines
from ops.runtime.project import Project

Entry = Literal["accept", "reject", "undo"]
ACCEPT: Entry = "accept"
ENTRIES: tuple[Entry, ...] = get_args(Entry)


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
        self._file = JsonLines(path, AuditError, "audit")

    @classmethod
    def of(cls, project: Project) -> VerdictStore:
        return cls(project.var / "audit" / "verdicts.jsonl")

    @property
    def path(self) -> Path:
        return self._file.path

    def writing(self) -> AbstractContextManager[None]:
        """Hold the file for one writer, and cut off a last line that a crash left half-written.

        Raises:
            AuditError: another process holds it.
        """
        return self._file.writing()

    def append(self, clip_id: str, verdict: Entry, version: str, rejected_by: str | None) -> Judgement:
        """Add a line; it is on the disk when this returns."""
        judgement = Judgement(clip_id, verdict, datetime.now(UTC).isoformat(), version, rejected_by)
        self._file.append(asdict(judgement))
        return judgement

    def read(self) -> list[Judgement]:
        """All lines in order, undone ones and their undoing included. An unfinished last line is no judgement.

        Raises:
            AuditError: a line is not one of ours.
        """
        return [self._parsed(number, line) for number, line in self._file.lines()]

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
            raise self._file.damaged(number, f"not a judgement ({error}); remove the line") from None
        if judgement.verdict not in ENTRIES:
            raise self._file.damaged(number, f"verdict {judgement.verdict!r} is not one of {ENTRIES}")
        return judgement
