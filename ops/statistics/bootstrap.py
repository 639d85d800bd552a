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


def ratio_interval(totals: Sequence[float], counts: Sequence[float], seed: int = 0) -> Interval:
    """Of totals over so many parts each: the mean over all parts, with its interval over items. An item of many parts
    weighs more."""
    above, below = np.asarray(totals, dtype=np.float64), np.asarray(counts, dtype=np.float64)
    if not below.sum():
        raise ValueError("the mean of no items does not exist")
    draws = np.random.default_rng(seed).integers(0, len(above), size=(RESAMPLES, len(above)))
    parts = below[draws].sum(axis=1)
    low, high = np.percentile(above[draws].sum(axis=1)[parts > 0] / parts[parts > 0], [2.5, 97.5])
    return Interval(float(above.sum() / below.sum()), float(low), float(high), len(above))


def median_interval(values: Sequence[float], seed: int = 0) -> Interval:
    """Median and 95 % bootstrap interval over items."""
    items = np.asarray(values, dtype=np.float64)
    if not len(items):
        raise ValueError("the median of no items does not exist")
    draws = np.random.default_rng(seed).integers(0, len(items), size=(RESAMPLES, len(items)))
    low, high = np.percentile(np.median(items[draws], axis=1), [2.5, 97.5])
    return Interval(float(np.median(items)), float(low), float(high), len(items))
