"""Aesthetics: the mean over a few frames of a score of beauty, or of colourfulness where its weights are missing."""

from __future__ import annotations

from ops.curation.steps.scored_step import score_and_decide
from ops.curation.tables import AESTHETICS
from ops.runtime.project import Project


def aesthetics(project: Project) -> None:
    """Write `aesthetics`: the raw score of every clip still in, and the rule's verdict."""
    score_and_decide(project, "aesthetics", made_from="text_crop", score="aesthetic", schema=AESTHETICS)
