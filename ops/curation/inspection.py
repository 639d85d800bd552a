"""Looking at every source once: the rows of `raw_videos` and `raw_images`."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from ops.catalogue import Kind
from ops.catalogue.reasons import Reason
from ops.curation.measuring.attempts import Task, attempt, demand_few_parked
from ops.curation.measuring.ledger import Work
from ops.curation.measuring.scores import Cost, Score, ScoreStore, score_key
from ops.curation.measuring.worker_size import worker_size
from ops.curation.rules.reasons import Rejection
from ops.curation.rules.verdicts import demand_some_kept, judged, reject_duplicates
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

Examine = Callable[[Path], dict[str, object]]


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
    states = {source: _state(project, source) for source in listed.sources}
    examined = _examine(project, step, [source for source in listed.sources if not source.problem], examine)
    rows = [_row(source, states[source], source.problem or examined[source], step) for source in listed.sources]
    rows = [row if row["rejected_by"] else judged(row, step, judge(row)) for row in rows]
    rows = reject_duplicates(rows, step)
    tables.write(project.table(step), rows, schema)
    parked = sum(isinstance(found, Failure) for found in examined.values())
    demand_few_parked(step, parked, len(examined), project.settings.curation)
    demand_some_kept(project.table(step), TABLES[step])
    remember_listing(project, step, fingerprint, listed.left_out)


def _examine(
    project: Project, step: str, sources: list[Source], examine: Examine
) -> dict[Source, dict[str, object] | Rejection | Failure]:
    curation, identity = project.settings.curation, {"version": VERSION}
    kind: Kind = "image" if TABLES[step] == "images" else "video"
    found: dict[Source, dict[str, object] | Rejection | Failure] = {}
    by_subject: dict[str, Source] = {}
    for source in sources:
        try:
            by_subject[_subject(file_of(project, source.root, source.path))] = source
        except OSError as error:
            found[source] = Rejection(Reason.MISSING, f"was there a moment ago: {error.strerror}")
    with ScoreStore.of(project) as store:
        prefix = store.remember(step, identity, kind)
        known = store.values(step, identity, by_subject, kind)

        def plan(subjects: Sequence[str], alone: bool) -> list[Task[Path]]:
            chosen = ((subject, by_subject[subject]) for subject in subjects)
            files = ((subject, source, file_of(project, source.root, source.path)) for subject, source in chosen)
            return [Task(file, str(file), source.path, (subject,)) for subject, source, file in files]

        def scores(task: Task[Path], result: tuple[dict[str, object], Cost]) -> list[Score]:
            row, cost = result
            return [Score(score_key(prefix, task.subjects[0]), task.source, step, row, cost)]

        new = [subject for subject in by_subject if subject not in known]
        progress = Progress.of(project, step, len(new), TABLES[step])
        work = Work.of(step, prefix, curation)
        size = worker_size(curation, ())
        parked = attempt(_Examination(examine), new, plan, scores, store, work, curation, progress, size)
        seen = {**known, **store.values(step, identity, new, kind), **parked}
    return found | {source: seen[subject] for subject, source in by_subject.items()}


def _subject(file: Path) -> str:
    """The file as long as its size and time stay what they are."""
    state = file.stat()
    return digest([str(file), state.st_size, state.st_mtime_ns])


def _row(source: Source, state: dict[str, int | None], found: dict[str, Any] | Rejection | Failure, step: str) -> Row:
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


def _state(project: Project, source: Source) -> dict[str, int | None]:
    """Size and date of a file before it is looked at, lest those of another one stand beside what was seen. A date for
    which the table has no number, such as the year 9999, is none."""
    if source.problem is not None:
        return {}
    try:
        state = file_of(project, source.root, source.path).stat()
    except OSError:
        return {}
    return {"bytes": state.st_size, "mtime_ns": state.st_mtime_ns if abs(state.st_mtime_ns) < 2**63 else None}
