"""Motion again, inside the crop: without its moving subtitles a clip may turn out to be a still picture."""

from __future__ import annotations

import numpy as np
import pyarrow.compute as pc

from ops.curation.rules.decisions import VERDICT, still_in
from ops.curation.rules.walk import mean
from ops.curation.steps.scored_step import CLIP, decided, measured
from ops.curation.tables import MOTION_RECHECK
from ops.runtime import tables
from ops.runtime.project import Project


def motion_recheck(project: Project) -> None:
    """Write `motion_recheck`: cropped clips are measured again, the motion of the others is still right."""
    source = project.table("safety")
    table = tables.read_columns(source, [*CLIP, "motion", *VERDICT])
    cropped = pc.is_valid(table["crop"]).to_numpy()
    again, failures = measured(project, "motion_recheck", table, still_in(table) & cropped, mean)
    numbers = np.where(cropped, again, pc.fill_null(table["motion"], np.nan).to_numpy())
    new = decided(project, "motion_recheck", table, "motion_cropped", numbers, failures)
    tables.rewrite(project.table("motion_recheck"), source, new, MOTION_RECHECK)
