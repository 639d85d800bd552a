"""From raw scores to keep or drop: the ordered list of the recipe."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from pydantic import Field, model_validator

from ops.catalogue import SCORERS, SCORES, Bound, step_of
from ops.config.declared import RULED
from ops.config.section import Section

LOWER_IS_BETTER = tuple(name for name, scorer in SCORERS.items() if scorer.lower_is_better)
"""Scorers that measure damage, so more is worse; others measure quality, so less is."""


class RuledScore(NamedTuple):
    """A raw score that a rule may decide by: the step that measures it, and the bounds that mean something."""

    step: str
    bounds: tuple[Bound, ...]


RULED_SCORES = {name: RuledScore(step_of(name).name, score.bounds) for name, score in SCORES.items()}
"""By column of the tables, in the order in which they are measured."""


class Rule(Section):
    """Keep what has this score within these bounds; a clip exactly at a bound stays. `aesthetic`, `technical` and
    `safety` hold for images, too."""

    score: Annotated[str, RULED]
    minimum: Annotated[float, Field(allow_inf_nan=False)] | None = None
    maximum: Annotated[float, Field(allow_inf_nan=False)] | None = None

    @property
    def bounds(self) -> dict[Bound, float]:
        """Those that are set."""
        both: dict[Bound, float | None] = {"minimum": self.minimum, "maximum": self.maximum}
        return {bound: value for bound, value in both.items() if value is not None}

    def passed_by(self, value: float) -> Bound | None:
        """The bound that a value of the score is beyond, or None."""
        for bound, limit in self.bounds.items():
            if value < limit if bound == "minimum" else value > limit:
                return bound
        return None

    @model_validator(mode="after")
    def _can_reject(self) -> Rule:
        possible = RULED_SCORES[self.score].bounds
        if not self.bounds:
            raise ValueError(f"has no bound: set {' or '.join(possible)}, or leave the rule out")
        for bound in self.bounds:
            if bound not in possible:
                raise ValueError(f"cannot have a {bound}: {self.score} has a {possible[0]} only")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(f"keeps nothing: minimum {self.minimum:g} is above maximum {self.maximum:g}")
        return self
