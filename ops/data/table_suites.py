"""A suite for every table that a step writes, beside those of what training is made from (expectation_suites.py).

They are drawn from the catalogue of columns: what a column expects holds in every table that has it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ops.catalogue import DECIDERS
from ops.catalogue.reasons import MEANINGS
from ops.config import Settings
from ops.data.catalogue import TABLES as CATALOGUE
from ops.data.expectation_suites import SUITES, Suite, at_least_one
from ops.data.gx_expectations import expectations_of, true, unique, with_checks
from ops.runtime import tables
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
    if name in SUITES:
        return SUITES[name]
    if name == "buckets":
        columns = CATALOGUE[name].columns
        return Suite("row", _buckets_frames, partial(_expectations, columns, (), False), ("samples", "items"))
    if name not in TABLES:
        raise KeyError(f"no table is called '{name}'")
    there = pq.read_schema(project.table(name)).names
    columns = tuple(column for column in CATALOGUE[name].columns if column.name in there)
    key = "clip_id" if "clip_id" in there else "path"
    scores = tuple(column.name for column in columns if column.scored_by and column.type is float)
    names = ("clip_id",) if key == "clip_id" else ("root", "path")
    follows = bool(STEPS[name].inputs)
    return Suite(key, partial(_frames, name, columns), partial(_expectations, columns, names, follows), scores)


def _frames(step: str, columns: tuple[Column, ...], project: Project) -> Iterator[pd.DataFrame]:
    """The rows that are kept, those whose verdict is broken, and those of the step before that have no row here."""
    path = project.table(step)
    for part in at_least_one(path, tables.parts(path)):
        frame = part.to_pandas()
        verdict = frame[["rejected_by", "reason_code", "reason"]]
        whole = verdict.isna().all(axis=1) | verdict.notna().all(axis=1)
        known = verdict["rejected_by"].isin(DECIDERS) & verdict["reason_code"].isin([*MEANINGS])
        told = frame[verdict["rejected_by"].isna() | ~known | ~whole].reset_index(drop=True)
        told = with_checks(told, columns).assign(has_row=True)
        yield told
    for part in _gone(step, project):  # all that they lack here is null, of which nothing is said
        yield part.to_pandas().reindex(columns=told.columns).assign(has_row=False)


def _gone(step: str, project: Project) -> Iterator[pa.Table]:
    """Rows of the step before of which nothing is left: neither kept nor rejected."""
    if not STEPS[step].inputs:
        return
    now, before, at = project.table(step), project.table(STEPS[step].inputs[0]), 0
    there = _has_row(step, before, now)
    for part in tables.parts(before):
        gone = part.filter(pc.invert(there.slice(at, len(part))))
        at += len(part)
        if len(gone):
            yield gone


def _has_row(step: str, before: Path, now: Path) -> pa.ChunkedArray:
    """bool [rows of the table before]: those of which there is a row now, or need be none."""
    if step == "clips":
        rejected = pc.is_valid(tables.read_columns(before, ["rejected_by"])["rejected_by"])
        return pc.or_(rejected, _among(before, now, ["source_id"]))
    if step == "shots":
        parents = pc.is_in(_keys(before, ["clip_id"]), value_set=_keys(now, ["parent"]))
        return pc.or_(parents, _among(before, now, ["clip_id"]))
    # a crop gives a clip another id, but neither another source nor other frames
    named = ["sha256", "start_frame", "end_frame"]
    return _among(before, now, named if "start_frame" in pq.read_schema(before).names else ["root", "path"])


def _among(before: Path, now: Path, names: list[str]) -> pa.ChunkedArray:
    return pc.is_in(_keys(before, names), value_set=_keys(now, names))


def _keys(path: Path, names: list[str]) -> pa.ChunkedArray:
    """What names each row, as one text; a null is a name, too."""
    table = tables.read_columns(path, names)
    texts = [pc.fill_null(table[name].cast(pa.string()), "\0") for name in names]
    return texts[0] if len(texts) == 1 else pc.binary_join_element_wise(*texts, "\n")


def _expectations(
    columns: tuple[Column, ...], names: tuple[str, ...], follows: bool, _: Settings
) -> list[GxExpectation]:
    """Of these columns, of those that name a row together, and, if the table follows another, of the rows of that."""
    told = expectations_of(columns)
    if names:
        told.append(unique(*names, notes="" if len(names) == 1 else "a file has one row"))
    return [*told, *([true("has_row", "no row of the step before is lost")] if follows else [])]


def _buckets_frames(project: Project) -> Iterator[pd.DataFrame]:
    frame = pq.read_table(project.data / "training_set" / "buckets.parquet").to_pandas()
    yield with_checks(frame, CATALOGUE["buckets"].columns).assign(row=range(len(frame)))
