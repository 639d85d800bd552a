"""Technical quality: blur, blocks and noise, measured on frames of the cropped clip."""

from __future__ import annotations

import pyarrow.compute as pc

from ops.catalogue import CurationStep
from ops.curation.rules.decisions import still_in
from ops.curation.scorers.dover import SPREAD, USUAL
from ops.curation.steps.scored_step import clips_before, decided, finish, numbers_of
from ops.runtime.project import Project


def technical_quality(project: Project, step: CurationStep) -> None:
    """Write `technical_quality`: the raw score of every clip still in, DOVER's also scaled, and the rule's verdict."""
    table = clips_before(project, step)
    numbers, failures = numbers_of(project, step.name, table, still_in(table))
    new = decided(project, step, table, numbers, failures)
    if project.settings.curation.technical_quality.scorer == "dover":
        new = new.append_column("technical_scaled", pc.divide(pc.subtract(new["technical"], USUAL), SPREAD))
    finish(project, step, new)
