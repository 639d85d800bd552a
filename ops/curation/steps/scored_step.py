"""A step of one number a row: its column, what made it, and the verdict of its rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ops.curation.measuring.scores import ScoreStore
from ops.curation.measuring.scoring import scores_of
from ops.curation.measuring.stored import Number, Stored, or_nan, stored
from ops.curation.rules.decisions import VERDICT, decide, still_in, with_failures
from ops.curation.scorers import as_column, identity
from ops.runtime import tables
from ops.runtime.parallel import Failure
from ops.runtime.project import Project

CLIP = (
    *("clip_id", "root", "path", "sha256", "start_frame", "end_frame", "crop", "fps", "seconds", "frame_times"),
    *("width", "height"),
)
"""The columns by which a clip is found and measured."""


def score_and_decide(project: Project, step: str, *, made_from: str, score: str, schema: pa.Schema) -> None:
    """Write the table of `step`: that of the step before with the column `score`, decided by the rule about it."""
    table = tables.read_columns(project.table(made_from), [*CLIP, *VERDICT])
    numbers, failures = measured(project, step, table, still_in(table))
    new = decided(project, step, table, score, numbers, failures)
    tables.rewrite(project.table(step), project.table(made_from), new, schema)


def pass_on(project: Project, step: str, *, made_from: str, schema: pa.Schema) -> None:
    """Write the table of a step that the recipe has switched off: that of the step before, and nulls."""
    source = project.table(made_from)
    with pq.ParquetFile(tables.there(source)) as file:
        rows, there = file.metadata.num_rows, file.schema_arrow.names
    added = {field.name: pa.nulls(rows, field.type) for field in schema if field.name not in there}
    tables.rewrite(project.table(step), source, pa.table(added), schema)


def measured(
    project: Project, step: str, table: pa.Table, chosen: np.ndarray, number: Number = float
) -> tuple[np.ndarray, dict[int, Failure]]:
    """float64 [rows], the raw scores of the clips of `chosen` (bool [rows]) and nan elsewhere; and by row why some have
    none. `number` makes one of a raw score that is none yet. What the store does not have is measured."""
    numbers, failures = np.full(len(table), np.nan), {}
    known = _stored(project, step, table, chosen)
    numbers[known.rows] = known.numbers(number)
    for row, score in _newly_measured(project, step, table, known).items():
        if isinstance(score, Failure):
            failures[row] = score
        else:
            numbers[row] = or_nan(number(score))
    return numbers, failures


def raw_scores(project: Project, step: str, table: pa.Table, chosen: np.ndarray) -> dict[int, Any]:
    """{row: raw score, or Failure} of the clips of `chosen`, of a step whose scores are no numbers."""
    known = _stored(project, step, table, chosen)
    return known.values() | _newly_measured(project, step, table, known)


def _stored(project: Project, step: str, table: pa.Table, chosen: np.ndarray) -> Stored:
    with ScoreStore.of(project) as store:
        return stored(store, step, identity(step, project.settings.curation), table["clip_id"], chosen)


def _newly_measured(project: Project, step: str, table: pa.Table, known: Stored) -> dict[int, Any]:
    clips = table.select(CLIP).take(pa.array(known.missing)).to_pylist()
    scores = scores_of(project, step, clips, len(known.rows) + len(clips))
    return {row: scores[clip["clip_id"]] for row, clip in zip(known.missing.tolist(), clips, strict=True)}


def decided(
    project: Project, step: str, table: pa.Table, score: str, numbers: np.ndarray, failures: dict[int, Failure]
) -> pa.Table:
    """The new columns of a step's table of clips, decided by the rule about the score. A row that could not be measured
    is rejected by the step."""
    curation = project.settings.curation
    made_by = as_column(identity(step, curation))
    new = with_failures(with_score(table.select(VERDICT), step, score, numbers, failures, made_by), step, failures)
    return decide(new, curation, [score])


def with_score(
    table: pa.Table, step: str, score: str, numbers: np.ndarray, failures: Mapping[int, Failure], made_by: str
) -> pa.Table:
    """The table with the score of what is still in and did not fail, and what made it."""
    scored = still_in(table)
    scored[list(failures)] = False
    numbers = np.where(scored, numbers, np.nan)
    table = table.append_column(score, pa.array(numbers, mask=np.isnan(numbers)))
    return table.append_column(f"{step}_scorer", constant(made_by, scored))


def constant(text: str, where: np.ndarray) -> pa.DictionaryArray:
    """The text in the rows of `where` (bool [rows]), null in others."""
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(len(where), np.int32), mask=~where), pa.array([text]))
