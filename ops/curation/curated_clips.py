"""The end of the funnel: all clips with all their scores, those that are kept and those that are not."""

from __future__ import annotations

from ops.curation.tables import MOTION_RECHECK
from ops.curation.verdicts import demand_some_kept
from ops.data import tables
from ops.runtime.project import Project


def curated_clips(project: Project) -> None:
    """Write `curated_clips`.

    Raises:
        NothingKept: there were clips, and none is left; the message shows the funnel.
    """
    rows = tables.read(project.table("motion_recheck"))
    tables.write(project.table("curated_clips"), rows, MOTION_RECHECK)
    demand_some_kept(rows, "clips", project.table("curated_clips"))
