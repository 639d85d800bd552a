"""Aesthetics: the mean over a few frames of a score of beauty, or of colourfulness where its weights are missing."""

from __future__ import annotations

from ops.curation.rules import aesthetics_reason
from ops.curation.scorers import as_column, identity
from ops.curation.scoring import scores_of
from ops.curation.tables import AESTHETICS
from ops.curation.verdicts import judged
from ops.data import tables
from ops.data.tables import Row, kept
from ops.runtime.parallel import Failure
from ops.runtime.project import Project


def aesthetics(project: Project) -> None:
    """Write `aesthetics`: the raw score of every clip still in, and the rule's verdict."""
    curation = project.settings.curation
    rows = tables.read(project.table("text_crop"))
    scores = scores_of(project, "aesthetics", kept(rows))
    scorer = as_column(identity("aesthetics", curation))

    def scored(row: Row) -> Row:
        score = scores[row["clip_id"]]
        if isinstance(score, Failure):
            return judged(row, "aesthetics", score)
        reason = aesthetics_reason(score, curation.aesthetics)
        return judged(row, "aesthetics", reason, aesthetic=score, aesthetics_scorer=scorer)

    out = [scored(row) if row["rejected_by"] is None else row for row in rows]
    tables.write(project.table("aesthetics"), out, AESTHETICS)
