"""Looking at every source once: the rows of `raw_videos` and `raw_images`."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from ops.catalogue import Kind
from ops.catalogue.reasons import Reason
from ops.curation.measuring.attempts import Task, attempt, demand_few_parked
from ops.curation.measuring.ledger import Work
from ops.curation.measuring.scores import Cost, Score, ScoreStore, score_key
from ops.curation.measuring.worker_size import worker_size
from ops.curation.rules.reasons import Rejection
from ops.curation.rules.verdicts import FirstOfEqual, demand_some_kept, judged
from ops.curation.sources.listing import (
    TABLES,
    Source,
    file_of,
    listing,
    listing_fingerprint,
    remember_listing,
)
from ops.runtime import tables
from ops.runtime.files import digest
from ops.runtime.parallel import Failure
from ops.runtime.progress import Progress
from ops.runtime.project import Project
from ops.runtime.tables import Row

VERSION = 4
"""Raised when an examination finds something else in the same file."""

NO_TIME = np.iinfo(np.int64).min
"""A date for which the table has no number, such as the year 9999."""

Examine = Callable[[Path], dict[str, object]]
Found = Row | Rejection | Failure
"""What an examination gives, or why there was none."""


@dataclass(frozen=True)
class _Examination:
    """What a worker does: the examination, and its cost."""

    examine: Examine

    def __call__(self, file: Path) -> tuple[dict[str, object], Cost]:
        read, began = file.stat().st_size, time.process_time()
        return self.examine(file), Cost(time.process_time() - began, 0.0, read)


def inspect_sources(
    project: Project,
    step: str,
    examine: Examine,
    schema: pa.Schema,
    judge: Callable[[Row], Rejection | None] = lambda row: None,
) -> None:
    """Write the table of a kind of sources. A file of unchanged size and time is not opened again. `judge` says of what
    can be used why the recipe does not want it, if it does not.

    Raises:
        ConfigError: the recipe's source is missing or empty.
        NothingKept: no file of it can be used.
        TooManyParked: looking at them failed for more files than the recipe allows.
    """
    fingerprint = listing_fingerprint(project, TABLES[step])
    listed = listing(project, TABLES[step])
    sources, first = listed.sources, FirstOfEqual(step, lambda number: listed.sources[number].path)
    with ScoreStore.of(project) as store:
        seen = _Seen(project, step, examine, store, sources)

        def row(number: int, found: Found) -> Row:
            told = _row(sources[number], seen.state(number), found, step)
            return first(told if told["rejected_by"] else judged(told, step, judge(told)))

        parts = (
            tables.of_rows([row(number, found) for number, found in enumerate(seen.found(start), start)], schema)
            for start in range(0, len(sources), tables.BATCH)
        )
        tables.write_parts(project.table(step), parts, schema)
    demand_few_parked(step, len(seen.parked), seen.examined, project.settings.curation)
    demand_some_kept(project.table(step), TABLES[step])
    remember_listing(project, step, fingerprint, listed.left_out)


class _Seen:
    """What is known of every source once those that are new have been looked at.

    Of each source size, date and subject are in memory; what was found lies in the store.
    """

    def __init__(
        self, project: Project, step: str, examine: Examine, store: ScoreStore, sources: Sequence[Source]
    ) -> None:
        self._project, self._sources, self._store = project, sources, store
        self._step: str = step
        self._kind: Kind = "image" if TABLES[step] == "images" else "video"
        self._identity = {"version": VERSION}
        self._lost: dict[int, Rejection] = {}
        self._states = np.full((len(sources), 2), -1, np.int64)
        self._subjects = np.zeros(len(sources), "S32")
        for number, source in enumerate(sources):
            if source.problem is None:
                self._look(number, source)
        self.examined = sum(source.problem is None for source in sources)
        self.parked = self._examine(examine)

    def state(self, number: int) -> dict[str, int | None]:
        """Size and date of a file before it was looked at, lest those of another one stand beside what was seen."""
        size, time = self._states[number].tolist()
        return {} if size < 0 else {"bytes": size, "mtime_ns": None if time == NO_TIME else time}

    def found(self, start: int) -> list[Found]:
        """What was found of a batch of sources."""
        numbers = range(start, min(start + tables.BATCH, len(self._sources)))
        subjects = [self._subjects[number].decode() for number in numbers]
        known = self._store.values(self._step, self._identity, filter(None, subjects), self._kind)
        return [
            self._sources[number].problem or self._lost.get(number) or known.get(subject) or self.parked[subject]
            for number, subject in zip(numbers, subjects, strict=True)
        ]

    def _look(self, number: int, source: Source) -> None:
        try:
            file = file_of(self._project, source.root, source.path)
            state = file.stat()
        except OSError as error:
            self._lost[number] = Rejection(Reason.MISSING, f"was there a moment ago: {error.strerror}")
            return
        time = state.st_mtime_ns if abs(state.st_mtime_ns) < 2**63 else NO_TIME
        self._states[number] = state.st_size, time
        self._subjects[number] = _subject(file, state)

    def _examine(self, examine: Examine) -> dict[str, Failure]:
        """Have all that is new looked at; by subject why some could not be."""
        project, step, store, curation = self._project, self._step, self._store, self._project.settings.curation
        prefix = store.remember(step, self._identity, self._kind)
        known = store.subjects(step, self._identity, self._kind)
        new = np.flatnonzero(
            (self._subjects != b"") & ~np.isin(self._subjects, np.array(known.to_numpy(zero_copy_only=False), "S32"))
        )
        places = {self._subjects[number].decode(): int(number) for number in new}

        def plan(subjects: Sequence[str], alone: bool) -> list[Task[Path]]:
            chosen = ((subject, self._sources[places[subject]]) for subject in subjects)
            files = ((subject, source, file_of(project, source.root, source.path)) for subject, source in chosen)
            return [Task(file, str(file), source.path, (subject,)) for subject, source, file in files]

        def scores(task: Task[Path], result: tuple[dict[str, object], Cost]) -> list[Score]:
            row, cost = result
            return [Score(score_key(prefix, task.subjects[0]), task.source, step, row, cost)]

        progress = Progress.of(project, step, len(places), TABLES[step])
        work, size = Work.of(step, prefix, curation), worker_size(curation, ())
        return attempt(_Examination(examine), list(places), plan, scores, store, work, curation, progress, size)


def _subject(file: Path, state: os.stat_result) -> str:
    """The file as long as its size and time stay what they are."""
    return digest([str(file), state.st_size, state.st_mtime_ns])


def _row(source: Source, state: dict[str, int | None], found: Found, step: str) -> Row:
    row: Row = {
        "source_id": hashlib.sha256(f"{source.root}/{source.path}".encode()).hexdigest()[:16],
        "root": source.root,
        "path": source.path,
        **source.columns(),
        **state,
        "rejected_by": None,
        "reason_code": None,
        "reason": None,
    }
    if not isinstance(found, dict):
        return judged(row, step, found)
    rejected = {"rejected_by": step} if found["reason"] else {}
    return {**row, **found, **rejected, "source_id": found["sha256"][:16]}
