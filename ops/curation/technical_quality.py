"""Technical quality: blur, blocks and noise, measured on a few frames of the cropped clip."""

from __future__ import annotations

from ops.curation.scored_step import score_and_decide
from ops.curation.tables import TECHNICAL_QUALITY
from ops.runtime.project import Project


def technical_quality(project: Project) -> None:
    """Write `technical_quality`: the raw score of every clip still in, and the rule's verdict."""
    score_and_decide(project, "technical_quality", made_from="aesthetics", score="technical", schema=TECHNICAL_QUALITY)
