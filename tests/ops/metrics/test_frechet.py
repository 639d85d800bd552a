from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ops.metrics.base import Value
from ops.metrics.frechet import Moments, frechet_distance
from ops.metrics.rfvd import Rfvd, caution

CASE = json.loads((Path(__file__).parent / "cases" / "frechet_distance.json").read_text())


def drawn(rule) -> np.ndarray:
    noise = np.random.RandomState(rule["seed"]).standard_normal(rule["shape"]).astype(np.float32)
    return (noise * rule.get("scale", 1.0) + rule.get("shift", 0.0)).astype(np.float32)


@pytest.mark.parametrize("row", CASE["rows"], ids=lambda row: "x".join(map(str, row["first"]["shape"])))
def test_distances_are_the_published_ones(row) -> None:
    first, second = drawn(row["first"]), drawn(row["second"])
    found = frechet_distance(Moments.of(first), Moments.of(second))
    many = min(len(first), len(second)) > first.shape[1]
    if "eigen_float64" in row:
        assert found == pytest.approx(row["eigen_float64"], rel=1e-9 if many else 1e-6)
    assert found == pytest.approx(row["styleganv"], rel=1e-6 if many else 1e-4)
    assert found == pytest.approx(row["videogpt"], rel=1e-3)
    apart = float(np.square(first.astype(np.float64).mean(0) - second.astype(np.float64).mean(0)).sum())
    assert apart == pytest.approx(row["mean_term_only"], rel=1e-5)


def test_by_hand() -> None:
    """Means 3 apart in one coordinate, covariances I and 4 I in the plane: 9 + 2."""
    one = Moments(np.zeros(2), np.eye(2))
    assert frechet_distance(one, Moments(np.array([3.0, 0.0]), 4 * np.eye(2))) == pytest.approx(11)
    assert frechet_distance(one, one) == pytest.approx(0, abs=1e-12)


def test_no_features_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one row"):
        Moments.of(np.zeros((0, 4)))


def test_a_set_is_one_distance() -> None:
    row = CASE["rows"][0]
    wanted, found = drawn(row["first"]), drawn(row["second"])
    values = [
        Value(None, {"features": b.tolist(), "reference_features": a.tolist()})
        for a, b in zip(wanted, found, strict=True)
    ]
    interval = Rfvd().over(values)
    assert interval.mean == pytest.approx(row["eigen_float64"], rel=1e-6)
    assert interval.count == 40
    with pytest.raises(ValueError, match="no videos"):
        Rfvd().over([])


def test_small_sets_are_marked() -> None:
    assert "full rank" in str(caution(400))
    assert caution(401) == "unstable below 1000 videos"
    assert caution(1000) is None
