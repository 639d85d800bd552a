"""Raw numbers, kept by what was measured and how, so that nothing is measured twice.

One SQLite file under `var/scores/`. Only the process that runs a step writes it, after every finished source: a run
that is killed loses what was under way and nothing else.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from ops.runtime.project import Project


class Score(NamedTuple):
    key: str
    source: str
    """sha256 of the content that was measured (or, before it is known, the file)."""
    step: str
    value: Any


class ScoreStore:
    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._connected() as database:
            database.execute(
                "create table if not exists scores "
                "(key text primary key, source text not null, step text not null, value text not null)"
            )
            database.execute("create index if not exists by_source on scores (source)")

    @classmethod
    def of(cls, project: Project) -> ScoreStore:
        return cls(project.var / "scores" / "scores.sqlite")

    def of_source(self, source: str) -> dict[str, Any]:
        """All scores of one source: {key: value}."""
        with self._connected() as database:
            rows = database.execute("select key, value from scores where source = ?", (source,))
            return {key: json.loads(value) for key, value in rows}

    def put(self, scores: Iterable[Score]) -> None:
        rows = [(score.key, score.source, score.step, json.dumps(score.value)) for score in scores]
        with self._connected() as database:
            database.executemany("insert or replace into scores values (?, ?, ?, ?)", rows)

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=60)) as database, database:
            yield database
