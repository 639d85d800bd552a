"""The norm to which gradients are clipped: a fixed one, or one that follows their own statistics.

`ema` is the rule of the Open-Sora Plan v1.5 report on the global norm g: the threshold is
mean + 3σ of an exponential average that only normal steps (g ≤ threshold) update. Its constants 1 and 5 are the
norms of a particular model, so here they are `max_norm` and 5 · `max_norm`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypedDict

from ops.config import Clipping

SPIKE_SIGMAS = 5.0
SPIKE_NORMS = 5.0
THRESHOLD_SIGMAS = 3.0


class ClippingState(TypedDict):
    """What a checkpoint holds of it."""

    mean: float | None
    variance: float
    spikes_in_a_row: int


@dataclass
class GradientClipping:
    """Ask `threshold` before a step, tell `observe` the raw norm after it."""

    settings: Clipping
    mean: float | None = None
    variance: float = 0.0
    spikes_in_a_row: int = 0

    @property
    def threshold(self) -> float:
        """The norm that gradients are scaled down to in the next step."""
        if self.settings.method == "fixed" or self.mean is None:
            return self.settings.max_norm
        return self.mean + THRESHOLD_SIGMAS * math.sqrt(self.variance)

    def observe(self, norm: float) -> bool:
        """Update the statistics with the raw norm of a step. True when it was a spike."""
        spike = self.settings.method == "ema" and self._observed(norm)
        self.spikes_in_a_row = self.spikes_in_a_row + 1 if spike else 0
        return spike

    def _observed(self, norm: float) -> bool:
        if self.mean is None:
            self.mean = min(3 * norm, self.settings.max_norm)
            return False
        if norm <= self.threshold:
            rest = 1 - self.settings.decay
            self.mean += rest * (norm - self.mean)
            self.variance += rest * ((norm - self.mean) ** 2 - self.variance)
            return False
        usual = self.mean + SPIKE_SIGMAS * math.sqrt(self.variance)
        return norm > max(usual, SPIKE_NORMS * self.settings.max_norm)

    def state(self) -> ClippingState:
        return {"mean": self.mean, "variance": self.variance, "spikes_in_a_row": self.spikes_in_a_row}

    def restore(self, state: ClippingState) -> None:
        self.mean, self.variance = state["mean"], state["variance"]
        self.spikes_in_a_row = state["spikes_in_a_row"]
