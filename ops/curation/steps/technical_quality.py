"""Technical quality: blur, blocks and noise, measured on frames of the cropped clip."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from ops.curation.rules.decisions import VERDICT, still_in
from ops.curation.scorers.dover import SPREAD, USUAL
from ops.curation.steps.scored_step import CLIP, decided, measured
from ops.curation.tables import TECHNICAL_QUALITY
from ops.runtime import tables
from ops.runtime.project import Project

STEP = "technical_quality"


def technical_quality(project: Project) -> None:
    """Write `technical_quality`: the raw score of every clip still in, DOVER's also scaled, and the rule's verdict."""
    source = project.table("aesthetics")
    table = tables.read_columns(source, [*CLIP, *VERDICT])
    numbers, failures = measured(project, STEP, table, still_in(table))
    new = decided(project, STEP, table, "technical", numbers, failures)
    if project.settings.curation.technical_quality.scorer == "dover":
        scaled = pc.divide(pc.subtract(new["technical"], USUAL), SPREAD)
    else:
        scaled = pa.nulls(len(table), pa.float64())
    tables.rewrite(project.table(STEP), source, new.append_column("technical_scaled", scaled), TECHNICAL_QUALITY)
