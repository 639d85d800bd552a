"""What all rules have in common: statistics of a norm, how long it has been beyond them, and both in a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypedDict

from ops.config import Clipping
from ops.training.clipping.statistics import NormStatistics
from ops.training.clipping.streaks import Streaks


class ClippingState(TypedDict):
    """What a checkpoint holds of a rule."""

    mean: float | None
    variance: float
    streaks: dict[str, int]


@dataclass
class Rule:
    settings: Clipping
    statistics: NormStatistics = field(default_factory=NormStatistics)
    streaks: Streaks = field(default_factory=Streaks)

    def lasts(self, in_a_row: int) -> bool:
        """Whether norms have been above the threshold for so long that they are no exception any more."""
        return in_a_row >= self.settings.patience

    def is_to_be_told(self, in_a_row: int) -> bool:
        """Whether a person should hear of this one: the first `patience` of a streak, and of later ones each
        `patience`-th."""
        return in_a_row <= self.settings.patience or in_a_row % self.settings.patience == 0

    def state(self) -> ClippingState:
        return {
            "mean": self.statistics.mean,
            "variance": self.statistics.variance,
            "streaks": dict(self.streaks.lengths),
        }

    def restore(self, state: ClippingState) -> None:
        self.statistics.mean, self.statistics.variance = state["mean"], state["variance"]
        self.streaks.lengths = dict(state["streaks"])
