"""Running statistics of a norm, and the norm above which another one is abnormal by them.

Open-Sora Plan v1.3 (arXiv 2412.00131, adaptive gradient clipping) and the v1.5 report: exponential averages of the norm
and of its squared deviation from the average that it has just moved; abnormal is what is above mean + 3σ.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

SIGMAS = 3.0


@dataclass
class NormStatistics:
    """`mean` is None until they have begun."""

    mean: float | None = None
    variance: float = 0.0

    def bound(self, sigmas: float = SIGMAS) -> float | None:
        """mean + so many σ: the norm above which one is abnormal. None until the statistics have begun."""
        return None if self.mean is None else self.mean + sigmas * math.sqrt(self.variance)

    def begin(self, mean: float, variance: float) -> None:
        self.mean, self.variance = mean, variance

    def follow(self, norm: float, decay: float) -> None:
        """Move towards a norm by 1 − `decay`, the variance by its distance from where the mean has come to."""
        before = norm if self.mean is None else self.mean
        self.mean = decay * before + (1 - decay) * norm
        self.variance = decay * self.variance + (1 - decay) * self.distance(norm)

    def distance(self, norm: float) -> float:
        """(norm − mean)², 0 until they have begun."""
        return 0.0 if self.mean is None else (norm - self.mean) ** 2
