"""Which ranks' gradients of a step are dropped: those whose norm is abnormal among those of the steps before.

Open-Sora Plan v1.3 (arXiv 2412.00131, adaptive gradient clipping; the equations feed the raw largest norm into the
averages, the figure's caption the largest that was kept, which is what is done here): of N gradients the M whose norm
is finite and not above mean + 3σ are kept, and scaled by N/M, so that the mean over all N is that of the M. The largest
norm kept moves mean and variance, unless two or more were dropped: then they stand still. The first step drops nothing
for its size, and sets both to its largest norm.

Published, a level that has risen in two or more gradients is dropped for ever. Here, as for `GlobalNorm`, the largest
finite norm itself moves the statistics from the `patience`-th step in a row on in which something is dropped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ops.training.clipping.rule import Rule
from ops.training.clipping.streaks import STEPS

FIRST_THRESHOLD = 1.0
"""What the first step reports, though it compares with nothing."""
STANDS_STILL = 2
"""So many dropped, and the statistics do not move."""


@dataclass(frozen=True)
class Judgement:
    """Of a step's gradients. The norms are unscaled; one is None where no gradient has such a norm."""

    kept: tuple[bool, ...]
    """For each gradient, in order."""
    threshold: float
    """That was in force."""
    largest: float | None
    """Of the finite norms."""
    largest_kept: float | None
    distance: float | None
    """From the mean, squared: of the norm that moved the statistics, or of the largest one where none did."""
    in_a_row: int
    """Steps in which something was dropped, up to this one."""

    @property
    def dropped(self) -> int:
        return self.kept.count(False)

    @property
    def factor(self) -> float:
        """N/M, by which those that are kept are scaled; NaN when none is."""
        kept = self.kept.count(True)
        return len(self.kept) / kept if kept else math.nan


@dataclass
class Dropping(Rule):
    def judge(self, norms: Sequence[float], bucket: str) -> Judgement:
        """Decide about the gradients of a step, whose batch is of that bucket, and update the statistics."""
        statistics, threshold = self.statistics, self.statistics.bound()
        limit = math.inf if threshold is None else threshold
        kept = tuple(math.isfinite(norm) and norm <= limit for norm in norms)
        largest = max(filter(math.isfinite, norms), default=None)
        largest_kept = max((norm for norm, keep in zip(norms, kept, strict=True) if keep), default=None)
        in_a_row = self.streaks.note(not all(kept), STEPS, bucket)
        if threshold is None and largest is not None:
            statistics.begin(largest, largest)
            distance: float | None = statistics.variance
        else:
            moving = largest if self.lasts(in_a_row) else largest_kept if kept.count(False) < STANDS_STILL else None
            if moving is not None:
                statistics.follow(moving, self.settings.decay)
            seen = largest if moving is None else moving
            distance = None if seen is None else statistics.distance(seen)
        return Judgement(
            kept, FIRST_THRESHOLD if threshold is None else threshold, largest, largest_kept, distance, in_a_row
        )
