"""Technical quality: blur, blocks and noise, measured on a few frames of the cropped clip."""

from __future__ import annotations

from ops.curation.rules import technical_reason
from ops.curation.scorers import as_column, identity
from ops.curation.scoring import scores_of
from ops.curation.tables import TECHNICAL_QUALITY
from ops.curation.verdicts import judged
from ops.data import tables
from ops.data.tables import Row, kept
from ops.runtime.parallel import Failure
from ops.runtime.project import Project


def technical_quality(project: Project) -> None:
    """Write `technical_quality`: the raw score of every clip still in, and the rule's verdict."""
    curation = project.settings.curation
    rows = tables.read(project.table("aesthetics"))
    scores = scores_of(project, "technical_quality", kept(rows))
    scorer = as_column(identity("technical_quality", curation))

    def scored(row: Row) -> Row:
        score = scores[row["clip_id"]]
        if isinstance(score, Failure):
            return judged(row, "technical_quality", score)
        reason = technical_reason(score, curation.technical_quality)
        return judged(row, "technical_quality", reason, technical=score, technical_quality_scorer=scorer)

    out = [scored(row) if row["rejected_by"] is None else row for row in rows]
    tables.write(project.table("technical_quality"), out, TECHNICAL_QUALITY)
