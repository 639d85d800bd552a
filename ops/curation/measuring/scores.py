"""Raw numbers, kept by what was measured and how, so that nothing is measured twice.

One SQLite file, `var/scores/v2.sqlite`, which holds the ledger of attempts, too (`ledger`): a score and the note that
its work is done are written in one transaction. Only the process that runs a step writes it, after every
finished task: a run that is killed loses what was under way and nothing else. It is kept in WAL mode with
`synchronous=normal`: whatever was committed survives SIGKILL, and the file is whole after a power cut, too, which may
cost the last commits. WAL needs a local disk.

The version is part of the file's name. A file of another version is left alone and never read: its scores are made
anew, and it can be deleted.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ops.catalogue import KINDS, Kind, RawScore
from ops.runtime.files import digest
from ops.runtime.interruptions import held_back
from ops.runtime.project import Project

if TYPE_CHECKING:
    import pyarrow as pa

VERSION = 2
DECODING = "decoding"
"""The pseudo step that carries what decoding cost: one score a task, of no value, with the identity `{}`."""
_SCHEMA = """
create table if not exists identities (
    id integer primary key, digest text not null unique, step text not null, identity text not null,
    kind text not null default 'video'
);
create table if not exists scores (
    identity integer not null, subject text not null, source text not null,
    number real, value text, cpu_seconds real not null, gpu_seconds real not null, bytes integer not null,
    primary key (identity, subject)
) without rowid;
create index if not exists scores_by_source on scores (source);
create index if not exists costs on scores (identity, cpu_seconds, gpu_seconds, bytes);
"""
"""The index `costs` holds all that adding them up needs: the values, which are nearly all of the file, stay unread."""
_ROWS = 65_536
"""That are Python objects at a time, of a column."""
_AT_ONCE = 500
"""Subjects named in one query; SQLite's own limit is far higher."""


class Cost(NamedTuple):
    """Of making one score."""

    cpu_seconds: float
    """Of the process (`time.process_time`)."""
    gpu_seconds: float
    """0.0 where there is no accelerator."""
    bytes: int
    """Of pixels that the scorer looked at; of `decoding`, of the pictures handed on; of `raw_videos` and `raw_images`,
    of the files."""


class Score(NamedTuple):
    key: str
    """`score_key` of the digest of (step, identity), and of the clip's id or the picture's or file's hash."""
    source: str
    """sha256 of the content that was measured (or, before it is known, the file)."""
    step: str
    value: object
    cost: Cost = Cost(0.0, 0.0, 0)


class DamagedStore(RuntimeError):
    """The file of scores cannot be read; the message says what to do."""


def identity_digest(step: str, identity: object, kind: Kind = "video") -> str:
    """What the keys of all scores of this step and identity begin with, of this kind of things. Made once a step, not
    once a clip."""
    return digest([step, identity] if kind == "video" else [kind, step, identity])


def score_key(identity_digest: str, subject: str) -> str:
    return f"{identity_digest}:{subject}"


class ScoreStore:
    """Not to be shared by threads. Closed by `with`, or when nothing refers to it any more."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self.database = sqlite3.connect(path, timeout=60, isolation_level=None)
            self.database.execute("pragma journal_mode = wal")
            self.database.execute("pragma synchronous = normal")
            self.database.executescript(_SCHEMA)
            self._tell_kinds_apart()
        except sqlite3.DatabaseError as error:
            message = f"{path} cannot be used: {error}; if it is damaged, move it away, and all scores are made anew"
            raise DamagedStore(message) from None
        self._identities: dict[str, tuple[int, str]] = {}
        for kind in KINDS:
            self.remember(DECODING, {}, kind)

    @classmethod
    def of(cls, project: Project) -> ScoreStore:
        return cls(project.var / "scores" / f"v{VERSION}.sqlite")

    def __enter__(self) -> ScoreStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.database.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is written inside, or nothing of it; one inside another is a part of it."""
        if self.database.in_transaction:
            yield
            return
        with held_back():
            self.database.execute("begin immediate")
            try:
                yield
            except BaseException:
                self.database.execute("rollback")
                self._identities.clear()  # some of them may have been taken back
                raise
            self.database.execute("commit")

    def remember(self, step: str, identity: object, kind: Kind = "video") -> str:
        """Note what scores of this step are made with, before the first of them is put; returns the digest."""
        found = identity_digest(step, identity, kind)
        if found not in self._identities:
            query = "insert or ignore into identities (digest, step, identity, kind) values (?, ?, ?, ?)"
            self.database.execute(query, (found, step, json.dumps(identity, sort_keys=True), kind))
            self._known(found)
        return found

    def number_of(self, identity_digest: str) -> int:
        """The row of `identities` that other tables refer to."""
        return self._known(identity_digest)[0]

    def identities(self) -> dict[str, tuple[str, object]]:
        """{digest: (step, identity)} of everything that was ever measured."""
        rows = self.database.execute("select digest, step, identity from identities order by id")
        return {found: (step, json.loads(identity)) for found, step, identity in rows}

    def put(self, scores: Iterable[Score]) -> None:
        """Keep scores, all or none of them.

        Raises:
            ValueError: nobody has said (`remember`) what the digest in a key stands for, or it is another step's.
        """
        rows = [self._row(score) for score in scores]
        with self.transaction():
            self.database.executemany("insert or replace into scores values (?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def of_source(self, source: str) -> dict[str, object]:
        """All scores of one source: {key: value}."""
        return self.of_sources([source])[source]

    def of_sources(
        self, sources: Iterable[str], identity_digests: Iterable[str] | None = None
    ) -> dict[str, dict[str, object]]:
        """{source: {key: value}}, with an empty one for a source without scores; only scores of these identities, where
        some are named."""
        names = {identity: found for found, identity in self.database.execute("select digest, id from identities")}
        if identity_digests is not None:
            wanted = set(identity_digests)
            names = {identity: found for identity, found in names.items() if found in wanted}
        out: dict[str, dict[str, object]] = {source: {} for source in sources}
        # left to choose, SQLite goes through all scores of the identities
        query = (
            "select source, identity, subject, number, value from scores indexed by scores_by_source "
            "where source in ({}) and identity in ({})"
        )
        for part in _parts(out):
            chosen = query.format(_marks(part), _marks([*names]))
            for source, identity, subject, number, value in self.database.execute(chosen, [*part, *names]):
                out[source][score_key(names[identity], subject)] = _value(number, value)
        return out

    def values(self, step: str, identity: object, subjects: Iterable[str], kind: Kind = "video") -> dict[str, RawScore]:
        """{subject: value} of those subjects that have a score of this step and identity."""
        number, out = self.number_of(self.remember(step, identity, kind)), {}
        for part in _parts(subjects):
            query = f"select subject, number, value from scores where identity = ? and subject in ({_marks(part)})"
            for subject, real, value in self.database.execute(query, (number, *part)):
                out[subject] = _value(real, value)
        return out

    def column(self, step: str, identity: object, kind: Kind = "video") -> pa.Table:
        """Every score of this step and identity, ordered by subject: columns `subject`, `number` (float64) and `value`
        (JSON). Exactly one of the two last ones is null: a plain float is a `number`, anything else a `value`."""
        import pyarrow as pa

        query = "select subject, number, value from scores where identity = ? order by subject"
        found = self.database.execute(query, (self.number_of(self.remember(step, identity, kind)),))
        schema = pa.schema([("subject", pa.string()), ("number", pa.float64()), ("value", pa.string())])
        parts = [schema.empty_table()]
        while rows := found.fetchmany(_ROWS):
            columns = zip(*rows, strict=True)
            arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
            parts.append(pa.Table.from_arrays(arrays, schema=schema))
        return pa.concat_tables(parts)

    def subjects(self, step: str, identity: object, kind: Kind = "video") -> pa.Array:
        """Of all that has a score of this step and identity."""
        import pyarrow as pa

        query = "select subject from scores where identity = ?"
        found = self.database.execute(query, (self.number_of(self.remember(step, identity, kind)),))
        parts = [pa.array([], pa.string())]
        while rows := found.fetchmany(_ROWS):
            parts.append(pa.array([subject for (subject,) in rows], pa.string()))
        return pa.concat_arrays(parts)

    def costs(self, kind: Kind = "video") -> dict[str, Cost]:
        """{step: what all its scores of this kind that are kept here have cost to make}."""
        query = (
            "select step, total(cpu), total(gpu), sum(bytes) from (select identity as made_by, "
            "total(cpu_seconds) as cpu, total(gpu_seconds) as gpu, sum(bytes) as bytes from scores group by identity) "
            "join identities on identities.id = made_by where kind = ? group by step"
        )
        return {step: Cost(cpu, gpu, count) for step, cpu, gpu, count in self.database.execute(query, (kind,))}

    def _tell_kinds_apart(self) -> None:
        """Bring a file to this form in which the step of a picture's score began with `images.`; its scores stay."""
        if self._has_kinds():
            return
        with self.transaction():
            if self._has_kinds():  # another process has been at it meanwhile
                return
            self.database.execute("alter table identities add column kind text not null default 'video'")
            query = "select id, step, identity from identities where step like 'images.%' or step like '%_images'"
            for number, step, identity in self.database.execute(query).fetchall():
                plain = step.removeprefix("images.")
                found = identity_digest(plain, json.loads(identity), "image")
                values = ("image", plain, found, number)
                self.database.execute("update identities set kind = ?, step = ?, digest = ? where id = ?", values)

    def _has_kinds(self) -> bool:
        return "kind" in {row[1] for row in self.database.execute("pragma table_info(identities)")}

    def _row(self, score: Score) -> tuple[object, ...]:
        found, separator, subject = score.key.partition(":")
        if not separator:
            raise ValueError(f"'{score.key}' is no key of a score: make it with `score_key`")
        identity, step = self._known(found)
        if step != score.step:
            raise ValueError(f"the key {score.key} of a score of '{score.step}' is one of '{step}'")
        number = score.value if isinstance(score.value, float) and not math.isnan(score.value) else None
        value = None if number is not None else json.dumps(score.value)
        return (identity, subject, score.source, number, value, *score.cost)

    def _known(self, found: str) -> tuple[int, str]:
        if found not in self._identities:
            row = self.database.execute("select id, step from identities where digest = ?", (found,)).fetchone()
            if row is None:
                raise ValueError(f"nobody has said what {found} stands for: call `remember` before `put`")
            self._identities[found] = row
        return self._identities[found]


def _parts(values: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(values)
    while part := list(islice(rest, _AT_ONCE)):
        yield part


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))


def _value(number: float | None, value: str | None) -> object:
    return json.loads(value) if value is not None else number
