"""Technical quality: blur, blocks and noise, measured on frames of the cropped clip."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from ops.curation.scored_step import scored
from ops.curation.scorers.dover import SPREAD, USUAL
from ops.curation.tables import TECHNICAL_QUALITY
from ops.data import tables
from ops.runtime.project import Project


def technical_quality(project: Project) -> None:
    """Write `technical_quality`: the raw score of every clip still in, and the rule's verdict."""
    table = scored(project, "technical_quality", made_from="aesthetics", score="technical")
    if project.settings.curation.technical_quality.scorer == "dover":
        scaled = pc.divide(pc.subtract(table["technical"], USUAL), SPREAD)
    else:
        scaled = pa.nulls(len(table), pa.float64())
    table = table.append_column("technical_scaled", scaled)
    tables.write_columns(project.table("technical_quality"), table, TECHNICAL_QUALITY)
