"""Curation of still pictures: size, then aesthetics, then technical quality, with the scorers of the clips."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ops.config import Curation
from ops.curation.pictures import read_picture
from ops.curation.reasons import Reason, Rejection
from ops.curation.rules import rejection
from ops.curation.scorers import as_column, build, demand_weights, image_identity, scorer_of
from ops.curation.scores import Score, ScoreStore, identity_digest, score_key
from ops.curation.sources import file_of
from ops.curation.tables import CURATED_IMAGES
from ops.curation.verdicts import demand_some_kept, judged
from ops.data import tables
from ops.data.tables import Row, kept
from ops.runtime import parallel
from ops.runtime.parallel import Failure
from ops.runtime.progress import Progress
from ops.runtime.project import Project

COLUMNS = {"aesthetics": "aesthetic", "technical_quality": "technical"}
STEPS = tuple(COLUMNS)


@dataclass(frozen=True)
class ImageTask:
    project: Project
    curation: Curation
    file: Path
    sha256: str
    known: dict[str, Any] = field(hash=False)


def curated_images(project: Project) -> None:
    """Write `curated_images`.

    Raises:
        MissingWeights: a scorer of the recipe cannot run here.
        NothingKept: there were images, and none is left; the message shows the funnel.
    """
    curation = project.settings.curation
    rows = [_sized(row, curation) for row in tables.read(project.table("raw_images"))]
    scores = _scores(project, kept(rows))
    out = [_judged(row, scores[row["sha256"]], curation) if row["rejected_by"] is None else row for row in rows]
    tables.write(project.table("curated_images"), out, CURATED_IMAGES)
    demand_some_kept(out, "images", project.table("curated_images"))


def score_image(task: ImageTask) -> list[Score]:
    """Every score of an image that is missing, as long as the rules let it go on."""
    picture = read_picture(task.file, task.curation.sampling.short_side)
    new = []
    for step in STEPS:
        key = _key(step, task.sha256, task.curation)
        if key not in task.known:
            measure = build(task.project, task.curation, step)
            task.known[key] = scorer_of(step, task.curation).score(measure, [picture], task.sha256)
            new.append(Score(key, task.sha256, step, task.known[key]))
        if _reason(step, task.known[key], task.curation):
            break
    return new


def _scores(project: Project, rows: list[Row]) -> dict[str, dict[str, Any] | Failure]:
    """By content: {step: score} as far as the image came, or why it could not be scored."""
    curation, store = project.settings.curation, ScoreStore.of(project)
    for step in STEPS:
        store.remember(step, image_identity(step, curation))
    known = store.of_sources({row["sha256"]: None for row in rows})
    tasks = [
        ImageTask(project, curation, file_of(project, row["root"], row["path"]), row["sha256"], known[row["sha256"]])
        for row in rows
        if not _finished(row["sha256"], known[row["sha256"]], curation)
    ]
    if tasks:
        demand_weights(project, curation, STEPS)
    failures: dict[str, Failure] = {}
    progress = Progress.of(project, "curated_images", len(tasks), "images")
    for task, result in parallel.map(score_image, tasks, curation, progress):
        if isinstance(result, Failure):
            failures[task.sha256] = result
            continue
        store.put(result)
        known[task.sha256] |= {score.key: score.value for score in result}
    return {
        sha256: failures.get(sha256) or {step: scores.get(_key(step, sha256, curation)) for step in STEPS}
        for sha256, scores in known.items()
    }


def _finished(sha256: str, known: dict[str, Any], curation: Curation) -> bool:
    for step in STEPS:
        score = known.get(_key(step, sha256, curation))
        if score is None:
            return False
        if _reason(step, score, curation):
            return True
    return True


def _sized(row: Row, curation: Curation) -> Row:
    if row["rejected_by"] is not None:
        return row
    side, least = min(row["width"], row["height"]), curation.images.min_side
    small = Rejection(Reason.TOO_SMALL, f"short side {side} is below {least} pixels")
    return judged(row, "min_side", small if side < least else None)


def _judged(row: Row, scores: dict[str, Any] | Failure, curation: Curation) -> Row:
    if isinstance(scores, Failure):
        return judged(row, "curated_images", scores)
    for step in STEPS:
        scorer = {f"{step}_scorer": as_column(image_identity(step, curation)), COLUMNS[step]: scores[step]}
        row = judged(row, step, _reason(step, scores[step], curation), **scorer)
        if row["rejected_by"] is not None:
            break
    return row


def _reason(step: str, score: float, curation: Curation) -> Rejection | None:
    return rejection(curation, COLUMNS[step], score)


def _key(step: str, sha256: str, curation: Curation) -> str:
    return score_key(_digest(step, curation), sha256)


@cache
def _digest(step: str, curation: Curation) -> str:
    return identity_digest(step, image_identity(step, curation))
