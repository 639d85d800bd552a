"""The mean of per-item values with the interval that resampling the items gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 10_000


@dataclass(frozen=True)
class Interval:
    """A mean over `count` items and the 2.5 and 97.5 per cent points of its bootstrap distribution."""

    mean: float
    low: float
    high: float
    count: int


def mean_interval(values: Sequence[float], seed: int = 0) -> Interval:
    """Mean and 95 % bootstrap interval over items; the same values give the same interval."""
    items = np.asarray(values, dtype=np.float64)
    if not len(items):
        raise ValueError("the mean of no items does not exist")
    draws = np.random.default_rng(seed).integers(0, len(items), size=(RESAMPLES, len(items)))
    low, high = np.percentile(items[draws].mean(axis=1), [2.5, 97.5])
    return Interval(float(items.mean()), float(low), float(high), len(items))
