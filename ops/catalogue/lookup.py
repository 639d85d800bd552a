"""Declarations by what one looks them up by."""

from __future__ import annotations

from ops.catalogue.clips import CHAIN as CLIP_STEPS
from ops.catalogue.declaration import CurationStep, Measurement, Score, ScorerChoice
from ops.catalogue.images import CHAIN as PICTURE_STEPS
from ops.catalogue.images import RECOGNISED_TEXT, RULES_ABOUT_FACTS

STEPS: dict[str, CurationStep] = {step.name: step for step in (*CLIP_STEPS, *PICTURE_STEPS)}
"""By name: those of clips, then those of pictures, each after what it is made from."""
SCORES: dict[str, Score] = {step.score.name: step.score for step in CLIP_STEPS if step.score is not None}
"""What a rule may decide by, by column, in the order in which it is measured."""
MEASUREMENTS_OF_CLIPS: tuple[Measurement, ...] = tuple(measure for step in CLIP_STEPS for measure in step.measures)
"""What looks at the pixels of clips, in order."""
MEASUREMENTS: dict[str, Measurement] = {measure.name: measure for step in STEPS.values() for measure in step.measures}
"""What is measured of anything, by name."""
SCORERS: dict[str, ScorerChoice] = {
    choice.name: choice for measure in MEASUREMENTS.values() for choice in measure.scorers
}
"""Every scorer, by the name that the recipe gives it."""


DECIDERS: tuple[str, ...] = (*STEPS, *RULES_ABOUT_FACTS, RECOGNISED_TEXT.name)
"""Whatever may reject a row: steps, and of pictures rules that are no steps of clips."""


def measured_at(name: str) -> str:
    """The step of clips at which something is measured; what is none of these is its own."""
    return next((step.name for step in CLIP_STEPS if name in {each.name for each in step.measures}), name)


def step_of(score: str) -> CurationStep:
    """The step of clips that decides by a score."""
    return next(step for step in CLIP_STEPS if step.score is not None and step.score.name == score)


def scorers_of(section: str) -> tuple[ScorerChoice, ...]:
    """Who may measure what a section of the recipe is about."""
    return next(measure.scorers for measure in MEASUREMENTS.values() if measure.section == section)
