"""A suite for every table that a step writes, beside those of what training is made from (expectation_suites.py).

They are drawn from the catalogue of columns: what a column expects holds in every table that has it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ops.catalogue import DECIDERS
from ops.catalogue.reasons import MEANINGS
from ops.config import Settings
from ops.data.catalogue import TABLES as CATALOGUE
from ops.data.expectation_suites import SUITES, Suite
from ops.data.gx_expectations import expectations_of, true, unique, with_checks
from ops.runtime.columns import Column
from ops.runtime.project import Project
from ops.steps import STEPS

if TYPE_CHECKING:
    import pandas as pd
    from great_expectations.expectations import Expectation as GxExpectation

TABLES = tuple(name for name, step in STEPS.items() if step.output.endswith(".parquet") and name not in SUITES)
"""The steps whose table has a suite here. `buckets`, the second table of `training_set`, has one, too."""


def suite_of(project: Project, name: str) -> Suite:
    """The suite of a dataset step, or of `buckets`; of a table that lies here it reads which columns it has.

    Raises:
        KeyError: no such table.
        FileNotFoundError: the step has not run.
    """
    import pyarrow.parquet as pq

    if name in SUITES:
        return SUITES[name]
    if name == "buckets":
        columns = CATALOGUE[name].columns
        return Suite("row", _buckets_frame, partial(_expectations, columns, (), False), ("samples", "items"))
    if name not in TABLES:
        raise KeyError(f"no table is called '{name}'")
    there = pq.read_schema(project.table(name)).names
    columns = tuple(column for column in CATALOGUE[name].columns if column.name in there)
    key = "clip_id" if "clip_id" in there else "path"
    scores = tuple(column.name for column in columns if column.scored_by and column.type is float)
    names = ("clip_id",) if key == "clip_id" else ("root", "path")
    follows = bool(STEPS[name].inputs)
    return Suite(key, partial(_frame, name, columns), partial(_expectations, columns, names, follows), scores)


def _frame(step: str, columns: tuple[Column, ...], project: Project) -> pd.DataFrame:
    """The rows that are kept, those whose verdict is broken, and those of the step before that have no row here."""
    import pandas as pd
    import pyarrow.parquet as pq

    frame = pq.read_table(project.table(step)).to_pandas()
    verdict = frame[["rejected_by", "reason_code", "reason"]]
    whole = verdict.isna().all(axis=1) | verdict.notna().all(axis=1)
    known = verdict["rejected_by"].isin(DECIDERS) & verdict["reason_code"].isin([*MEANINGS])
    gone = _gone(step, project, frame)
    told = frame[verdict["rejected_by"].isna() | ~known | ~whole].reset_index(drop=True)
    told = with_checks(told, columns).assign(has_row=True)
    if len(gone):  # all that they lack here is null, of which nothing is said
        told = pd.concat([told, gone.reindex(columns=told.columns).assign(has_row=False)], ignore_index=True)
    return told


def _gone(step: str, project: Project, frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of the step before of which nothing is left: neither kept nor rejected."""
    import pyarrow.parquet as pq

    inputs = STEPS[step].inputs
    if not inputs:
        return frame[:0]
    before = pq.read_table(project.table(inputs[0])).to_pandas()
    if step == "clips":
        return before[before["rejected_by"].isna() & ~before["source_id"].isin(frame["source_id"])]
    if step == "shots":
        return before[~before["clip_id"].isin(frame["parent"]) & ~before["clip_id"].isin(frame["clip_id"])]
    # a crop gives a clip another id, but neither another source nor other frames
    keys = ["sha256", "start_frame", "end_frame"] if "start_frame" in before else ["root", "path"]
    return before[~before.set_index(keys).index.isin(frame.set_index(keys).index)]


def _expectations(
    columns: tuple[Column, ...], names: tuple[str, ...], follows: bool, _: Settings
) -> list[GxExpectation]:
    """Of these columns, of those that name a row together, and, if the table follows another, of the rows of that."""
    told = expectations_of(columns)
    if names:
        told.append(unique(*names, notes="" if len(names) == 1 else "a file has one row"))
    return [*told, *([true("has_row", "no row of the step before is lost")] if follows else [])]


def _buckets_frame(project: Project) -> pd.DataFrame:
    import pyarrow.parquet as pq

    frame = pq.read_table(project.data / "training_set" / "buckets.parquet").to_pandas()
    return with_checks(frame, CATALOGUE["buckets"].columns).assign(row=range(len(frame)))
