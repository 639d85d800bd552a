"""A step of one number a row: its column, what made it, and the verdict of its rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from ops.catalogue import CurationStep
from ops.curation.measuring.scoring import CLIP, CLIPS, measured
from ops.curation.measuring.stored import Number
from ops.curation.rules.decisions import VERDICT, decide, still_in, with_failures
from ops.curation.scorers import as_column, identity, is_on
from ops.runtime import tables
from ops.runtime.columns import arrow_type
from ops.runtime.parallel import Failure
from ops.runtime.project import Project


def scored_step(project: Project, step: CurationStep) -> None:
    """Write the table of a step: that of the step before with its score of every clip still in, decided by the rule
    about it; without any scores where the recipe has switched the step off."""
    if not is_on(step.name, project.settings.curation):
        pass_on(project, step)
        return
    table = clips_before(project, step)
    numbers, failures = numbers_of(project, step.name, table, still_in(table))
    finish(project, step, decided(project, step, table, numbers, failures))


def clips_before(project: Project, step: CurationStep, more: Sequence[str] = ()) -> pa.Table:
    """What a step has to know of the clips that it is given."""
    return tables.read_columns(project.table(step.input), [*CLIP, *more, *VERDICT])


def finish(project: Project, step: CurationStep, new: pa.Table) -> None:
    """Write the table of a step: that of the step before with these columns. What it adds and nobody filled is null."""
    for column in step.columns:
        if column.name not in new.column_names:
            new = new.append_column(column.name, pa.nulls(len(new), arrow_type(column.type)))
    tables.rewrite(project.table(step.name), project.table(step.input), new, step.table.schema)


def pass_on(project: Project, step: CurationStep) -> None:
    """Write the table of a step that the recipe has switched off: that of the step before, and nulls."""
    finish(project, step, tables.read_columns(project.table(step.input), VERDICT))


def numbers_of(
    project: Project, step: str, table: pa.Table, chosen: np.ndarray, number: Number = float
) -> tuple[np.ndarray, dict[int, Failure]]:
    """float64 [rows], the raw scores of the clips of `chosen` (bool [rows]) and nan elsewhere; and by row why some have
    none. `number` makes one of a raw score that is none yet. What the store does not have is measured."""
    found, failures = measured(project, CLIPS, step, table, chosen)
    numbers = np.full(len(table), np.nan)
    numbers[found.rows] = found.numbers(number)
    return numbers, failures


def decided(
    project: Project, step: CurationStep, table: pa.Table, numbers: np.ndarray, failures: dict[int, Failure]
) -> pa.Table:
    """The new columns of a step's table of clips, decided by the rule about its score. A row that could not be measured
    is rejected by the step."""
    curation, score = project.settings.curation, step.decides_by.name
    made_by = as_column(identity(step.name, curation))
    new = with_score(table.select(VERDICT), step.name, score, numbers, failures, made_by)
    return decide(with_failures(new, step.name, failures), curation, [score])


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
