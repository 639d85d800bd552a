"""Motion again, inside the crop: without its moving subtitles a clip may turn out to be a still picture."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ops.curation.decisions import decide, still_in, with_score
from ops.curation.funnel import mean
from ops.curation.scored_step import scorer, values
from ops.curation.tables import MOTION_RECHECK
from ops.data import tables
from ops.runtime.parallel import Failure
from ops.runtime.project import Project


def motion_recheck(project: Project) -> None:
    """Write `motion_recheck`: cropped clips are measured again, the motion of the others is still right."""
    table = tables.read_columns(project.table("technical_quality"))
    kept = still_in(table)
    cropped = pc.is_valid(table["crop"]).to_numpy()
    again = iter(values(project, "motion_recheck", table, kept & cropped))
    before = table["motion"].filter(pa.array(kept)).to_pylist()
    scores = [_mean(next(again)) if crop else motion for motion, crop in zip(before, cropped[kept], strict=True)]
    table = with_score(table, "motion_recheck", "motion_cropped", scores, scorer(project, "motion_recheck"))
    decided = decide(table, project.settings.curation, ["motion_cropped"])
    tables.write_columns(project.table("motion_recheck"), decided, MOTION_RECHECK)


def _mean(series: Any) -> float | Failure | None:
    if isinstance(series, Failure):
        return series
    return mean(series or [])
