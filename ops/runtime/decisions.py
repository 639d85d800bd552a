"""What automation decided, yes and no, with its reasons: one list for the pages, the terminal and the log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from ops.runtime import daily_log
from ops.runtime.project import Project

FILE = "decisions.jsonl"


@dataclass(frozen=True)
class Decision:
    about: str
    """`curation` or `retraining`."""
    yes: bool
    reason: str
    new_items: int | None = None
    """Clips and images that no training has seen, where they were counted."""
    time: str = ""
    """UTC, ISO 8601; set when it is recorded."""

    @property
    def sentence(self) -> str:
        return f"{'yes' if self.yes else 'no'}: {self.reason}"


def record(project: Project, decision: Decision, repeat: bool = True) -> Decision | None:
    """Append to `var/decisions.jsonl` and the daily log; without `repeat`, not what was decided last about the same.

    Returns:
        The decision with its time, or None when it was no news.
    """
    if not repeat:
        before = next(iter(last(project, 1, decision.about)), None)
        if before is not None and before.sentence == decision.sentence:
            return None
    timed = Decision(**{**asdict(decision), "time": datetime.now(UTC).isoformat(timespec="seconds")})
    path = project.var / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(timed), ensure_ascii=False) + "\n")
    daily_log.write(project, timed.about, timed.sentence)
    return timed


def last(project: Project, count: int, about: str | None = None) -> list[Decision]:
    """The newest decisions, newest first: all, or those about one thing."""
    found = [decision for decision in _all(project) if about in (None, decision.about)]
    return found[::-1][:count]


def _all(project: Project) -> Iterator[Decision]:
    path = project.var / FILE
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            yield Decision(**json.loads(line))
