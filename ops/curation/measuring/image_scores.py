"""Scores of still pictures: those that are stored, and those that are missing, for which a picture is decoded once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ops import weights
from ops.config import Curation
from ops.curation.decoding.pictures import read_picture
from ops.curation.measuring.attempts import Task, attempt, demand_few_parked
from ops.curation.measuring.ledger import Work
from ops.curation.measuring.scores import DECODING, IMAGES, Cost, Score, ScoreStore, identity_digest, score_key
from ops.curation.measuring.stored import Stored, stored
from ops.curation.measuring.worker_size import worker_size
from ops.curation.rules.image_rules import RATINGS, REPEATS, TEXT, text_reason, with_own_rules
from ops.curation.rules.reasons import Rejection
from ops.curation.rules.rejection import rejection
from ops.curation.scorers import build, demand_weights, image_identity, is_on, scorer_of, text_recognition
from ops.curation.sources.listing import file_of
from ops.curation.sources.seen_files import REPLACED, SeenFiles
from ops.runtime.parallel import Failure
from ops.runtime.progress import Progress
from ops.runtime.project import Project
from ops.runtime.tables import Row

ASSET = "curated_images"
FILE = ("root", "path", "sha256", "collection")
"""The columns by which a picture is found and measured."""


@dataclass(frozen=True)
class ImageTask:
    """A picture some of whose scores are missing; `known` holds the others."""

    project: Project
    curation: Curation
    file: Path
    sha256: str
    collection: str | None
    known: dict[str, Any] = field(hash=False)


def measured(project: Project, step: str, table: pa.Table, chosen: np.ndarray) -> tuple[Stored, dict[int, Failure]]:
    """The step's scores of the rows of `chosen` (bool [rows]), and by row why some have none.

    What is missing is measured now: this step, and those that follow it as long as the rules let a picture go on.

    Raises:
        MissingWeights: something has to be measured, and a scorer of the recipe cannot run here.
        TooManyParked: measuring failed for more of them than the recipe allows.
    """
    curation = project.settings.curation

    def found() -> Stored:
        return stored(store, IMAGES + step, identity(step, curation), table["sha256"], chosen)

    with ScoreStore.of(project) as store:
        known = found()
        if not len(known.missing):
            return known, {}
        rows = table.select(FILE).take(pa.array(known.missing)).to_pylist()
        parked = _measure_missing(project, store, rows)
        demand_few_parked(ASSET, len(parked), int(chosen.sum()), curation)
        known, contents = found(), {row["sha256"]: place for place, row in zip(known.missing, rows, strict=True)}
        return known, {int(contents[sha256]): failure for sha256, failure in parked.items()}


def identity(step: str, curation: Curation) -> dict[str, Any]:
    """What a score of this step depends on besides the picture's content."""
    if step == TEXT:
        return text_recognition.identity(curation.sampling.short_side)
    return image_identity(step, curation)


def score_image(task: ImageTask) -> list[Score]:
    """Every score of a picture that is missing, as long as the rules let it go on, and what decoding it cost."""
    picture, spent = _timed(lambda: read_picture(task.file, task.curation.sampling.short_side))
    decoding = score_key(identity_digest(IMAGES + DECODING, {}), task.sha256)
    new = [Score(decoding, task.sha256, IMAGES + DECODING, None, Cost(spent, 0.0, picture.nbytes))]
    for step in steps_of(task.collection, task.curation):
        key = score_key(_digest(step, task.curation), task.sha256)
        if key not in task.known:
            task.known[key], spent = _timed(partial(_started(task, step), picture))
            new.append(Score(key, task.sha256, IMAGES + step, task.known[key], Cost(spent, 0.0, picture.nbytes)))
        if _reason(step, task.known[key], task):
            break
    return new


def steps_of(collection: str | None, curation: Curation) -> tuple[str, ...]:
    """What is measured of a picture, in this order."""
    read = (TEXT,) if collection == "text" else ()
    repeats = (REPEATS,) if is_on(REPEATS, curation) else ()
    return (*ratings(curation), *read, *repeats)


def ratings(curation: Curation) -> tuple[str, ...]:
    """The steps that rate every picture, but for those that the recipe has switched off."""
    return tuple(step for step in RATINGS if is_on(step, curation))


def _measure_missing(project: Project, store: ScoreStore, rows: Sequence[Row]) -> dict[str, Failure]:
    """Put the missing scores of these pictures into the store; {sha256: why one is parked}."""
    curation, by_content = project.settings.curation, {row["sha256"]: row for row in rows}
    identities = {step: identity(step, curation) for step in steps_of("text", curation)}
    store.remember(IMAGES + DECODING, {})
    for step, made_by in identities.items():
        store.remember(IMAGES + step, made_by)
    _demand_weights(project, {row["collection"] for row in rows})
    known, files = store.of_sources(by_content), SeenFiles(project, "raw_images")

    def plan(subjects: Sequence[str], alone: bool) -> list[Task[ImageTask]]:
        return [_task(project, by_content[sha256], known[sha256]) for sha256 in subjects]

    def checked(task: Task[ImageTask], result: list[Score]) -> list[Score] | Failure:
        row = by_content[task.item.sha256]
        return result if files.holds(row["root"], row["path"], row["sha256"]) else REPLACED

    size = worker_size(curation, ratings(curation))
    work = Work.of(ASSET, store.remember(ASSET, identities), curation)
    progress = Progress.of(project, ASSET, len(rows), "images")
    return attempt(score_image, [*by_content], plan, checked, store, work, curation, progress, size)


def _demand_weights(project: Project, collections: set[str | None]) -> None:
    """Check, before any picture of these collections is measured, that all their scorers can run here."""
    demand_weights(project, project.settings.curation, ratings(project.settings.curation))
    if "text" in collections:
        for name in text_recognition.WEIGHTS:
            weights.ensure(project, name)


def _task(project: Project, row: Row, known: dict[str, Any]) -> Task[ImageTask]:
    file = file_of(project, row["root"], row["path"])
    item = ImageTask(project, project.settings.curation, file, row["sha256"], row["collection"], known)
    return Task(item, row["sha256"], row["path"], (row["sha256"],))


def _started(task: ImageTask, step: str) -> Callable[[np.ndarray], Any]:
    """What makes the step's value of a picture, loaded."""
    if step == TEXT:
        return text_recognition.reader(task.project)
    measure, scorer = build(task.project, task.curation, step), scorer_of(step, task.curation)
    return lambda picture: scorer.score(measure, [picture], task.sha256)


def _reason(step: str, value: Any, task: ImageTask) -> Rejection | None:
    if step == TEXT:
        return text_reason(value, task.curation)
    if step == REPEATS:  # decided when all pictures have their hashes
        return None
    return rejection(with_own_rules(task.collection, task.curation), RATINGS[step], value)


def _timed(make: Callable[[], Any]) -> tuple[Any, float]:
    began = time.process_time()
    return make(), time.process_time() - began


@cache
def _digest(step: str, curation: Curation) -> str:
    return identity_digest(IMAGES + step, identity(step, curation))
