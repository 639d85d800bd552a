"""Every attempt at a piece of curation's work, what came of it, and what is not tried any more.

The ledger lies in the file of the scores. Work is known by what it measures with (the step, and the identity of its
scorer), what it measures (a clip's id, or the hash of a picture or file: its *subject*) and the limits that it runs
under; if one of these changes, it is other work and begins at no attempts.

Errors in the work count as failures, and so does an attempt that was under way when its run was killed: a file that
brings the whole machine down must not be tried for ever. A verdict about a file ("broken", "too large") is a result.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ops.config import Curation
from ops.curation.measuring.scores import ScoreStore
from ops.curation.scorers import MEASURED_BY
from ops.runtime.parallel import Failure
from ops.runtime.project import Project

FINISHED, INTERRUPTED, KILLED = "finished", "interrupted", "killed"
"""Outcomes of an attempt besides the codes of a `Failure`; one that is under way has none."""
_SCHEMA = """
create table if not exists attempts (
    id integer primary key, step text not null, identity integer not null, limits text not null,
    source text not null, path text not null, subjects integer not null,
    started real not null, ended real, outcome text, reason text, trace text
);
create index if not exists attempts_under_way on attempts (step) where outcome is null;
create table if not exists tried (
    identity integer not null, subject text not null, attempt integer not null,
    primary key (identity, subject, attempt)
) without rowid;
create table if not exists parked (
    step text not null, subject text not null, identity integer not null, attempts integer not null,
    attempt integer not null, primary key (step, subject)
) without rowid;
create table if not exists asked_again (step text primary key);
"""


class Work(NamedTuple):
    """What one attempt is at: the same for all tasks of a step."""

    step: str
    identity_digest: str
    limits: str

    @classmethod
    def of(cls, step: str, identity_digest: str, curation: Curation) -> Work:
        limits = f"{curation.time_limit_seconds:g} s, {curation.memory_limit_gib:g} GiB"
        return cls(step, identity_digest, limits)


class Standing(NamedTuple):
    """A subject that has been tried and is not done."""

    attempts: int
    killed: int
    """How many of them a killed run left unfinished."""
    last: int
    """The number of the last attempt."""
    failure: Failure


class Parked(NamedTuple):
    step: str
    path: str
    """Of the source's file."""
    subject: str
    attempts: int
    failure: Failure
    """The last attempt's."""


class Ledger:
    """Written only by the process that runs a step, through its store."""

    def __init__(self, store: ScoreStore) -> None:
        self._store, self._database = store, store.database
        self._database.executescript(_SCHEMA)

    @classmethod
    def of(cls, project: Project) -> Ledger:
        return cls(ScoreStore.of(project))

    def note_killed(self, step: str) -> None:
        """Close what an earlier run of this step left under way. Two runs of a step at a time are none of ours: the
        lock that DVC holds on its output keeps them apart."""
        reason = "the run was killed, or its machine went down, in the middle of it"
        query = "update attempts set ended = ?, outcome = ?, reason = ? where step = ? and outcome is null"
        self._database.execute(query, (time.time(), KILLED, reason, step))

    def start(self, work: Work, source: str, path: str, subjects: Sequence[str]) -> int:
        """Open an attempt; returns its number."""
        identity = self._store.number_of(work.identity_digest)
        values = (work.step, identity, work.limits, source, path, len(subjects), time.time())
        with self._store.transaction():
            query = (
                "insert into attempts (step, identity, limits, source, path, subjects, started) "
                "values (?, ?, ?, ?, ?, ?, ?)"
            )
            number = self._database.execute(query, values).lastrowid
            assert number is not None
            rows = [(identity, subject, number) for subject in subjects]
            self._database.executemany("insert into tried values (?, ?, ?)", rows)
        return number

    def finish(self, work: Work, attempt: int, subjects: Sequence[str]) -> None:
        """Say that an attempt has given its scores. Earlier failures of its subjects are forgotten, except in the
        list of attempts."""
        identity = self._store.number_of(work.identity_digest)
        with self._store.transaction():
            self._end(attempt, FINISHED, None)
            rows = [(identity, subject) for subject in subjects]
            self._database.executemany("delete from tried where identity = ? and subject = ?", rows)

    def fail(self, attempt: int, failure: Failure) -> None:
        self._end(attempt, failure.code, failure)

    def interrupt(self, attempts: Iterable[int]) -> None:
        """Close attempts that were ended for a reason that is not theirs: they count for nothing."""
        with self._store.transaction():
            for attempt in attempts:
                self._end(attempt, INTERRUPTED, None)
                self._database.execute(
                    "delete from tried where attempt = ? and identity = (select identity from attempts where id = ?)",
                    (attempt, attempt),
                )

    def standings(self, work: Work) -> dict[str, Standing]:
        """{subject: how it stands} of everything that was tried at this work and is not done."""
        query = (
            "select subject, attempt, outcome, reason, trace from tried join attempts on attempts.id = attempt "
            "where tried.identity = ? and limits = ? order by attempt"
        )
        out: dict[str, Standing] = {}
        identity = self._store.number_of(work.identity_digest)
        for subject, attempt, outcome, reason, trace in self._database.execute(query, (identity, work.limits)):
            before = out.get(subject)
            killed = (before.killed if before else 0) + (outcome in (KILLED, None))
            attempts = before.attempts + 1 if before else 1
            out[subject] = Standing(attempts, killed, attempt, _failure(outcome, reason, trace))
        return out

    def park(self, work: Work, parked: Mapping[str, Standing]) -> None:
        """State what is parked of this step's inputs, in place of what was before."""
        identity = self._store.number_of(work.identity_digest)
        rows = [(work.step, subject, identity, each.attempts, each.last) for subject, each in parked.items()]
        with self._store.transaction():
            self._database.execute("delete from parked where step = ?", (work.step,))
            self._database.executemany("insert into parked values (?, ?, ?, ?, ?)", rows)

    def parked(self, step: str | None = None) -> list[Parked]:
        """What was parked when each step ran last, by step and path."""
        query = (
            "select parked.step, path, subject, parked.attempts, outcome, reason, trace from parked "
            "join attempts on attempts.id = parked.attempt where ? is null or parked.step = ? "
            "order by parked.step, path, subject"
        )
        rows = self._database.execute(query, (step, step))
        return [
            Parked(of_step, path, subject, attempts, _failure(*ended))
            for of_step, path, subject, attempts, *ended in rows
        ]

    def retry(self, step: str | None = None, path: str | None = None) -> list[Parked]:
        """Let parked inputs be tried again, from no attempts on; returns them.

        Their steps are made again by the next `soraflow run`, although nothing that DVC watches has changed.
        """
        found = [each for each in self.parked(step) if path is None or each.path == path]
        with self._store.transaction():
            for each in found:
                made_again = MEASURED_BY.get(each.step, each.step)
                where = "from parked where step = ? and subject = ?"
                self._database.execute(
                    f"delete from tried where (identity, subject) in (select identity, subject {where})",
                    (each.step, each.subject),
                )
                self._database.execute(f"delete {where}", (each.step, each.subject))
                self._database.execute("insert or ignore into asked_again values (?)", (made_again,))
        return found

    def attempts(self) -> list[dict[str, object]]:
        """Every attempt there ever was, in the order in which they began; a killed one `ended` when it was noticed."""
        query = (
            "select id, step, source, path, subjects, limits, started, ended, outcome, reason, trace "
            "from attempts order by id"
        )
        rows = self._database.execute(query)
        names = [column[0] for column in rows.description]
        return [dict(zip(names, row, strict=True)) for row in rows]

    def _end(self, attempt: int, outcome: str, failure: Failure | None) -> None:
        values = (time.time(), outcome, failure and failure.reason, failure and failure.trace, attempt)
        query = "update attempts set ended = ?, outcome = ?, reason = ?, trace = ? where id = ?"
        self._database.execute(query, values)


def is_asked_again(project: Project, step: str) -> bool:
    """Whether inputs of this step that were parked wait to be tried again."""
    with ScoreStore.of(project) as store:
        query = "select 1 from asked_again where step = ?"
        return Ledger(store)._database.execute(query, (step,)).fetchone() is not None


def forget_asking(project: Project, step: str) -> None:
    """Say that the step has been made again since."""
    with ScoreStore.of(project) as store:
        Ledger(store)._database.execute("delete from asked_again where step = ?", (step,))


def _failure(outcome: str | None, reason: str | None, trace: str | None) -> Failure:
    if outcome in (None, KILLED):
        return Failure(reason or "under way", "crashed")
    return Failure(reason or "", outcome, trace or "")  # type: ignore[arg-type]  # written by `fail`, as codes
