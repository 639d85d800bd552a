"""The norm to which the gradient of all ranks is scaled down: a fixed one, or one that follows its own statistics.

`ema` is the rule of the Open-Sora Plan v1.5 report on the global norm g: the threshold is mean + 3σ of exponential
averages that only normal steps (g ≤ threshold) move. Its constants 1 and 5 are the norms of a particular model, so here
they are `max_norm` and 5 · `max_norm`.

Published, the rule locks: a norm that stays above the threshold never moves it. Here it moves nothing for the first
`patience` − 1 steps in a row, as published, and then counts by the same formulas. They bring the threshold up to a
level that has risen by J within eleven steps at decay 0.99, however large J is: after n of them the mean has moved by
(1 − 0.99ⁿ)·J, and σ is about √(0.99ⁿ − 0.99²ⁿ)·J.
"""

from __future__ import annotations

from dataclasses import dataclass

from ops.training.clipping.rule import Rule
from ops.training.clipping.streaks import STEPS

SPIKE_SIGMAS = 5.0
SPIKE_NORMS = 5.0
SPIKES = "spikes"
"""The streak of norms that are far above the threshold."""


@dataclass(frozen=True)
class Observation:
    """What a raw norm was to the rule."""

    in_a_row: int
    """Steps whose norm was above the threshold, up to this one."""
    spikes_in_a_row: int
    """The same of those that were far above it."""


@dataclass
class GlobalNorm(Rule):
    """Ask `threshold` before a step, tell `observe` the raw norm after it."""

    @property
    def threshold(self) -> float:
        """The norm that gradients are scaled down to in the next step."""
        bound = self.statistics.bound()
        return self.settings.max_norm if bound is None else bound

    def observe(self, norm: float, bucket: str) -> Observation:
        """Update the statistics with the raw norm of a step, whose batch was of that bucket."""
        if self.settings.method == "fixed":
            return Observation(0, 0)
        statistics, usual = self.statistics, self.statistics.bound(SPIKE_SIGMAS)
        if usual is None:
            statistics.begin(min(3 * norm, self.settings.max_norm), 0.0)
            return Observation(0, 0)
        above, far = norm > self.threshold, norm > max(usual, SPIKE_NORMS * self.settings.max_norm)
        seen = Observation(self.streaks.note(above, STEPS, bucket), self.streaks.note(far, SPIKES))
        if not above or self.lasts(seen.in_a_row):
            statistics.follow(norm, self.settings.decay)
        return seen
