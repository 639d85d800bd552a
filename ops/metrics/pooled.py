"""Metrics of which a set's score is the mean over all parts (frames) of all videos, so that long videos weigh more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from ops.metrics.base import Value, VideoMetric
from ops.statistics.bootstrap import Interval, ratio_interval


class PooledMetric(VideoMetric):
    """A value is `total` over so many `parts`. With several processes VBench averages videos instead."""

    terms: ClassVar = {"total": float, "parts": int}

    def over(self, values: Sequence[Value]) -> Interval:
        measured = [each.terms for each in values if each.value is not None]
        totals, parts = ([_number(terms[key]) for terms in measured] for key in ("total", "parts"))
        return ratio_interval(totals, parts)


def _number(term: object) -> float:
    assert isinstance(term, int | float)  # PooledMetric.terms
    return float(term)
