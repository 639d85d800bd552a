"""Curation of still pictures: what is known of them, then aesthetics and technical quality with the scorers of the
clips, of text-bearing pictures what is written in them, and last which of them repeat others."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from ops import weights
from ops.config import Curation
from ops.curation.decoding.pictures import read_picture
from ops.curation.measuring.attempts import Task, attempt, demand_few_parked
from ops.curation.measuring.ledger import Work
from ops.curation.measuring.scores import DECODING, IMAGES, Cost, Score, ScoreStore, identity_digest, score_key
from ops.curation.measuring.worker_size import worker_size
from ops.curation.rules.image_repeats import STEP as REPEATS
from ops.curation.rules.image_repeats import without_repeats
from ops.curation.rules.image_rules import TEXT, known_reason, readable, text_reason, with_own_rules
from ops.curation.rules.reasons import Rejection
from ops.curation.rules.rejection import rejection
from ops.curation.rules.verdicts import demand_some_kept, judged
from ops.curation.runs.records import write_record
from ops.curation.scorers import as_column, build, demand_weights, image_identity, scorer_of, text_recognition
from ops.curation.sources.listing import file_of
from ops.curation.sources.seen_files import REPLACED, SeenFiles
from ops.curation.tables import CURATED_IMAGES
from ops.data import tables
from ops.data.tables import Row, kept
from ops.runtime.parallel import Failure
from ops.runtime.progress import Progress
from ops.runtime.project import Project

COLUMNS = {"aesthetics": "aesthetic", "technical_quality": "technical"}
RATED = tuple(COLUMNS)


@dataclass(frozen=True)
class ImageTask:
    project: Project
    curation: Curation
    file: Path
    sha256: str
    collection: str | None
    known: dict[str, Any] = field(hash=False)


def curated_images(project: Project) -> None:
    """Write `curated_images`, and the record of this run.

    Raises:
        MissingWeights: a scorer of the recipe cannot run here.
        NothingKept: there were images, and none is left; the message shows the funnel.
        TooManyParked: scoring failed for more images than the recipe allows.
    """
    curation = project.settings.curation
    rows = [_looked_up(row, curation) for row in tables.read(project.table("raw_images"))]
    scores = _scores(project, kept(rows))
    out = [_judged(row, scores[row["sha256"]], curation) if row["rejected_by"] is None else row for row in rows]
    if curation.near_duplicates.enabled:
        out = without_repeats(out, curation.near_duplicates)
    tables.write(project.table("curated_images"), out, CURATED_IMAGES)
    write_record(project, "image")
    demand_some_kept(out, "images", project.table("curated_images"))


def score_image(task: ImageTask) -> list[Score]:
    """Every score of an image that is missing, as long as the rules let it go on, and what decoding it cost."""
    picture, spent = _timed(lambda: read_picture(task.file, task.curation.sampling.short_side))
    decoding = score_key(identity_digest(IMAGES + DECODING, {}), task.sha256)
    new = [Score(decoding, task.sha256, IMAGES + DECODING, None, Cost(spent, 0.0, picture.nbytes))]
    for step in steps_of(task.collection, task.curation):
        key = _key(step, task.sha256, task.curation)
        if key not in task.known:
            task.known[key], spent = _timed(partial(_measure(task, step), picture))
            new.append(Score(key, task.sha256, IMAGES + step, task.known[key], Cost(spent, 0.0, picture.nbytes)))
        if _reason(step, task.known[key], task.collection, task.curation):
            break
    return new


def steps_of(collection: str | None, curation: Curation) -> tuple[str, ...]:
    """What is measured of a picture, in this order."""
    read = (TEXT,) if collection == "text" else ()
    return (*RATED, *read, REPEATS) if curation.near_duplicates.enabled else (*RATED, *read)


def _measure(task: ImageTask, step: str) -> Callable[[np.ndarray], Any]:
    """What makes the step's value of a picture, loaded."""
    if step == TEXT:
        return text_recognition.reader(task.project)
    measure, scorer = build(task.project, task.curation, step), scorer_of(step, task.curation)
    return lambda picture: scorer.score(measure, [picture], task.sha256)


def _timed(make: Callable[[], Any]) -> tuple[Any, float]:
    began = time.process_time()
    return make(), time.process_time() - began


def _scores(project: Project, rows: list[Row]) -> dict[str, dict[str, Any] | Failure]:
    """By content: {step: score} as far as the image came, or why it could not be scored."""
    curation, by_content = project.settings.curation, {row["sha256"]: row for row in rows}
    steps = {step: None for row in rows for step in steps_of(row["collection"], curation)}
    identities = {step: _identity(step, curation) for step in steps}
    with ScoreStore.of(project) as store:
        store.remember(IMAGES + DECODING, {})
        for step in steps:
            store.remember(IMAGES + step, identities[step])
        known = store.of_sources(by_content)
        new = [sha256 for sha256, row in by_content.items() if not _finished(row, known[sha256], curation)]
        _demand_weights(project, {by_content[sha256]["collection"] for sha256 in new})

        def plan(subjects: Sequence[str], alone: bool) -> list[Task[ImageTask]]:
            return [_task(project, by_content[sha256], known[sha256]) for sha256 in subjects]

        files = SeenFiles(project, "raw_images")

        def checked(task: Task[ImageTask], result: list[Score]) -> list[Score] | Failure:
            row = by_content[task.item.sha256]
            return result if files.holds(row["root"], row["path"], row["sha256"]) else REPLACED

        size = worker_size(curation, RATED)
        work = Work.of("curated_images", store.remember("curated_images", identities), curation)
        progress = Progress.of(project, "curated_images", len(new), "images")
        parked = attempt(score_image, new, plan, checked, store, work, curation, progress, size)
        demand_few_parked("curated_images", len(parked), len(by_content), curation)
        known |= store.of_sources(new)
    return {
        sha256: parked.get(sha256) or {step: scores.get(_key(step, sha256, curation)) for step in steps}
        for sha256, scores in known.items()
    }


def _demand_weights(project: Project, collections: set[str | None]) -> None:
    """Check, before any picture of these collections is measured, that all their scorers can run here."""
    if collections:
        demand_weights(project, project.settings.curation, RATED)
    if "text" in collections:
        for name in text_recognition.WEIGHTS:
            weights.ensure(project, name)


def _task(project: Project, row: Row, known: dict[str, Any]) -> Task[ImageTask]:
    file = file_of(project, row["root"], row["path"])
    item = ImageTask(project, project.settings.curation, file, row["sha256"], row["collection"], known)
    return Task(item, row["sha256"], row["path"], (row["sha256"],))


def _finished(row: Row, known: dict[str, Any], curation: Curation) -> bool:
    for step in steps_of(row["collection"], curation):
        score = known.get(_key(step, row["sha256"], curation))
        if score is None:
            return False
        if _reason(step, score, row["collection"], curation):
            return True
    return True


def _looked_up(row: Row, curation: Curation) -> Row:
    if row["rejected_by"] is not None:
        return row
    found = known_reason(row, curation)
    return judged(row, *found) if found else row


def _judged(row: Row, scores: dict[str, Any] | Failure, curation: Curation) -> Row:
    if isinstance(scores, Failure):
        return judged(row, "curated_images", scores)
    for step in steps_of(row["collection"], curation):
        columns = {**_columns(step, scores[step], curation), f"{step}_scorer": as_column(_identity(step, curation))}
        row = judged(row, step, _reason(step, scores[step], row["collection"], curation), **columns)
        if row["rejected_by"] is not None:
            break
    return row


def _columns(step: str, value: Any, curation: Curation) -> dict[str, Any]:
    if step == TEXT:
        return {"text_lines": json.dumps(value, ensure_ascii=False), TEXT: readable(value, curation)}
    if step == REPEATS:
        return {"perceptual_hash": value}
    return {COLUMNS[step]: value}


def _reason(step: str, value: Any, collection: str | None, curation: Curation) -> Rejection | None:
    if step == TEXT:
        return text_reason(value, curation)
    if step == REPEATS:  # decided when all pictures have their hashes
        return None
    return rejection(with_own_rules(collection, curation), COLUMNS[step], value)


def _key(step: str, sha256: str, curation: Curation) -> str:
    return score_key(_digest(step, curation), sha256)


def _identity(step: str, curation: Curation) -> dict[str, Any]:
    if step == TEXT:
        return text_recognition.identity(curation.sampling.short_side)
    return image_identity(step, curation)


@cache
def _digest(step: str, curation: Curation) -> str:
    return identity_digest(IMAGES + step, _identity(step, curation))
