"""The interval of a share."""

from __future__ import annotations

from math import sqrt

Z = 1.959963984540054
"""Of the standard normal distribution, 95 % lies within ± this."""


def wilson(right: float, judged: float) -> tuple[float, float]:
    """The 95 % score interval of a share (Wilson 1927) of `judged` > 0 trials; counts may be fractions."""
    share, square = right / judged, Z * Z
    middle = (share + square / (2 * judged)) / (1 + square / judged)
    half = Z * sqrt(share * (1 - share) / judged + square / (4 * judged**2)) / (1 + square / judged)
    return max(0.0, middle - half), min(1.0, middle + half)
