"""A step of one number a clip: its column, what made it, and the verdict of its rule."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from ops.curation.decisions import decide, still_in, with_score
from ops.curation.scorers import as_column, identity
from ops.curation.scoring import scores_of
from ops.data import tables
from ops.runtime.project import Project

CLIP = ("clip_id", "root", "path", "sha256", "start_frame", "end_frame", "crop", "fps", "width", "height")
"""The columns by which a clip is found and measured."""


def score_and_decide(project: Project, step: str, *, made_from: str, score: str, schema: pa.Schema) -> None:
    """Write the table of `step`: that of the step before with the column `score`, decided by the rule about it."""
    tables.write_columns(project.table(step), scored(project, step, made_from=made_from, score=score), schema)


def scored(project: Project, step: str, *, made_from: str, score: str) -> pa.Table:
    table = tables.read_columns(project.table(made_from))
    table = with_score(table, step, score, values(project, step, table), scorer(project, step))
    return decide(table, project.settings.curation, [score])


def values(project: Project, step: str, table: pa.Table, chosen: np.ndarray | None = None) -> list[Any]:
    """The raw score, or Failure, of each row of `chosen` (bool [rows]; all that are still in, if not given)."""
    chosen = still_in(table) if chosen is None else chosen
    rows = table.select(CLIP).filter(pa.array(chosen)).to_pylist()
    scores = scores_of(project, step, rows)
    return [scores[row["clip_id"]] for row in rows]


def scorer(project: Project, step: str) -> str:
    """What made the scores, as the tables tell it."""
    return as_column(identity(step, project.settings.curation))
