"""Motion again, inside the crop: without its moving subtitles a clip may turn out to be a still picture."""

from __future__ import annotations

import numpy as np
import pyarrow.compute as pc

from ops.catalogue import CurationStep
from ops.curation.rules.decisions import still_in
from ops.curation.rules.walk import mean
from ops.curation.steps.scored_step import clips_before, decided, finish, numbers_of
from ops.runtime.project import Project


def motion_recheck(project: Project, step: CurationStep) -> None:
    """Write `motion_recheck`: cropped clips are measured again, the motion of the others is still right."""
    table = clips_before(project, step, ["motion"])
    cropped = pc.is_valid(table["crop"]).to_numpy()
    again, failures = numbers_of(project, step.name, table, still_in(table) & cropped, mean)
    numbers = np.where(cropped, again, pc.fill_null(table["motion"], np.nan).to_numpy())
    finish(project, step, decided(project, step, table, numbers, failures))
