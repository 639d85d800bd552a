"""Motion again, inside the crop: without its moving subtitles a clip may turn out to be a still picture."""

from __future__ import annotations

from ops.curation.rules import motion_reason
from ops.curation.scorers import as_column, identity
from ops.curation.scoring import scores_of
from ops.curation.tables import MOTION_RECHECK
from ops.curation.verdicts import judged
from ops.data import tables
from ops.data.tables import Row, kept
from ops.runtime.parallel import Failure
from ops.runtime.project import Project


def motion_recheck(project: Project) -> None:
    """Write `motion_recheck`: cropped clips are measured again, the motion of the others is still right."""
    curation = project.settings.curation
    rows = tables.read(project.table("technical_quality"))
    cropped = [row for row in kept(rows) if row["crop"] is not None]
    scores = scores_of(project, "motion_recheck", cropped)
    scorer = as_column(identity("motion_recheck", curation))

    def scored(row: Row) -> Row:
        series = scores.get(row["clip_id"])
        if isinstance(series, Failure):
            return judged(row, "motion_recheck", series)
        score = row["motion"] if row["crop"] is None else _mean(series)
        reason = motion_reason(score, curation.motion)
        return judged(row, "motion_recheck", reason, motion_cropped=score, motion_recheck_scorer=scorer)

    out = [scored(row) if row["rejected_by"] is None else row for row in rows]
    tables.write(project.table("motion_recheck"), out, MOTION_RECHECK)


def _mean(series: list[float] | None) -> float | None:
    return sum(series) / len(series) if series else None
