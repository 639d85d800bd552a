"""A step of one number a clip: its column, what made it, and the verdict of its rule."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ops.curation.measuring.scores import ScoreStore
from ops.curation.measuring.scoring import scores_of
from ops.curation.rules.decisions import VERDICT, decide, joined, still_in, with_failures
from ops.curation.scorers import as_column, identity
from ops.data import tables
from ops.runtime.parallel import Failure
from ops.runtime.project import Project

CLIP = ("clip_id", "root", "path", "sha256", "start_frame", "end_frame", "crop", "fps", "width", "height")
"""The columns by which a clip is found and measured."""

Number = Callable[[Any], float | None]


def score_and_decide(project: Project, step: str, *, made_from: str, score: str, schema: pa.Schema) -> None:
    """Write the table of `step`: that of the step before with the column `score`, decided by the rule about it."""
    table = tables.read_columns(project.table(made_from), [*CLIP, *VERDICT])
    numbers, failures = measured(project, step, table, still_in(table))
    new = decided(project, step, table, score, numbers, failures)
    tables.rewrite(project.table(step), project.table(made_from), new, schema)


def measured(
    project: Project, step: str, table: pa.Table, chosen: np.ndarray, number: Number = float
) -> tuple[np.ndarray, dict[int, Failure]]:
    """float64 [rows], the raw scores of the rows of `chosen` (bool [rows]) and nan elsewhere; and by row why some have
    none. `number` makes one of a raw score that is none yet.

    What the store has is read at once, so that a million clips take seconds; the rest is measured.
    """
    numbers, failures = np.full(len(table), np.nan), {}
    rows, known, new = _known(project, step, table, chosen)
    values = known["number"].to_numpy().copy()
    written = np.flatnonzero(pc.is_valid(known["value"]).to_numpy())
    texts = joined(known["value"]).take(pa.array(written)).to_pylist()
    values[written] = [_nan(number(json.loads(text))) for text in texts]
    numbers[rows] = values
    for row, score in _newly_measured(project, step, table, new, len(rows) + len(new)).items():
        if isinstance(score, Failure):
            failures[row] = score
        else:
            numbers[row] = _nan(number(score))
    return numbers, failures


def raw_scores(project: Project, step: str, table: pa.Table, chosen: np.ndarray) -> dict[int, Any]:
    """{row: raw score, or Failure} of the rows of `chosen`, of a step whose scores are no numbers."""
    rows, known, new = _known(project, step, table, chosen)
    found = dict(zip(rows.tolist(), map(json.loads, known["value"].to_pylist()), strict=True))
    return found | _newly_measured(project, step, table, new, len(rows) + len(new))


def _known(project: Project, step: str, table: pa.Table, chosen: np.ndarray) -> tuple[np.ndarray, pa.Table, np.ndarray]:
    """Rows whose score is in the store, those scores (columns `number` and `value`), and the rows whose is not."""
    with ScoreStore.of(project) as store:
        known = store.column(step, identity(step, project.settings.curation))
    rows = np.flatnonzero(chosen)
    place = pc.index_in(joined(table["clip_id"]).take(pa.array(rows)), value_set=joined(known["subject"]))
    there = pc.is_valid(place).to_numpy(zero_copy_only=False)
    return rows[there], known.select(["number", "value"]).take(place.filter(pa.array(there))), rows[~there]


def _newly_measured(project: Project, step: str, table: pa.Table, rows: np.ndarray, inputs: int) -> dict[int, Any]:
    clips = table.select(CLIP).take(pa.array(rows)).to_pylist()
    scores = scores_of(project, step, clips, inputs)
    return {row: scores[clip["clip_id"]] for row, clip in zip(rows.tolist(), clips, strict=True)}


def decided(
    project: Project, step: str, table: pa.Table, score: str, numbers: np.ndarray, failures: dict[int, Failure]
) -> pa.Table:
    """The new columns of a step's table: the score of what is still in, what made it, and the verdict by the rule about
    it. A row that could not be measured is rejected by the step."""
    curation = project.settings.curation
    scored = still_in(table)
    scored[list(failures)] = False
    numbers = np.where(scored, numbers, np.nan)
    table = table.select(VERDICT).append_column(score, pa.array(numbers, mask=np.isnan(numbers)))
    table = with_failures(table, step, failures)
    return decide(table, curation, [score]).append_column(
        f"{step}_scorer", constant(as_column(identity(step, curation)), scored)
    )


def constant(text: str, where: np.ndarray) -> pa.DictionaryArray:
    """The text in the rows of `where` (bool [rows]), null in others."""
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(len(where), np.int32), mask=~where), pa.array([text]))


def _nan(number: float | None) -> float:
    return np.nan if number is None else number
