"""Motion: the mean LPIPS distance inside a piece, without the cuts around it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from ops.catalogue import CurationStep
from ops.curation.clip import Clip
from ops.curation.measuring.scoring import CLIP
from ops.curation.rules.decisions import VERDICT, decide, still_in
from ops.curation.rules.walk import mean_motion
from ops.curation.steps.scored_step import finish
from ops.runtime import tables
from ops.runtime.project import Project
from ops.runtime.tables import Row


def motion(project: Project, step: CurationStep) -> None:
    """Write `motion`: nothing is decoded, the distances are those of `shots`."""
    source = project.table(step.input)
    table = tables.read_columns(source, [*VERDICT, "shots_scorer"])
    rows = tables.each(source, [*CLIP, "rejected_by", "sampled_frames", "cut_distances"])
    numbers = pa.array(map(_mean, rows), pa.float64())
    # a scorer is the one of `shots`, and nobody's where nothing was scored
    place = pa.array(np.arange(len(table)), mask=~still_in(table))
    new = table.select(VERDICT).append_column("motion", numbers)
    new = decide(new, project.settings.curation, ["motion"])
    new = new.append_column("motion_scorer", table["shots_scorer"].take(place))
    finish(project, step, new)


def _mean(row: Row) -> float | None:
    if row["rejected_by"] is not None:
        return None
    return mean_motion(Clip.of(row), row["sampled_frames"], row["cut_distances"])
