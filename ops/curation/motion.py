"""Motion: the mean LPIPS distance inside a piece, without the cuts around it."""

from __future__ import annotations

from ops.curation.clip import Clip
from ops.curation.funnel import mean_motion
from ops.curation.rules import rejection
from ops.curation.tables import MOTION
from ops.curation.verdicts import judged
from ops.data import tables
from ops.data.tables import Row
from ops.runtime.project import Project


def motion(project: Project) -> None:
    """Write `motion`: nothing is decoded, the distances are those of `shots`."""
    curation = project.settings.curation

    def scored(row: Row) -> Row:
        if row["rejected_by"] is not None:
            return row
        score = mean_motion(Clip.of(row), row["sampled_frames"], row["cut_distances"])
        return judged(
            row, "motion", rejection(curation, "motion", score), motion=score, motion_scorer=row["shots_scorer"]
        )

    tables.write(project.table("motion"), map(scored, tables.read(project.table("shots"))), MOTION)
