from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from ops.statistics.wilson import wilson


@pytest.mark.parametrize(
    ("right", "judged", "low", "high"),
    [
        (0, 10, 0.0, 0.277533),
        (10, 10, 0.722467, 1.0),
        (8, 10, 0.490162, 0.943318),
        (50, 100, 0.403832, 0.596168),
        (1, 1, 0.206549, 1.0),
    ],
)
def test_wilsons_interval(right: int, judged: int, low: float, high: float) -> None:
    assert wilson(right, judged) == pytest.approx((low, high), abs=1e-6)


@given(st.integers(1, 500).flatmap(lambda judged: st.tuples(st.integers(0, judged), st.just(judged))))
def test_scipy_agrees(counts: tuple[int, int]) -> None:
    right, judged = counts
    theirs = binomtest(right, judged).proportion_ci(method="wilson")
    assert wilson(right, judged) == pytest.approx((theirs.low, theirs.high), abs=1e-9)
