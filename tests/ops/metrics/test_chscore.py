from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ops.metrics.chscore import LARGEST, WEIGHTS, CHScore, loss_terms

CASE = json.loads((Path(__file__).parent / "cases" / "chscore.json").read_text())
KEYS = dict(zip(WEIGHTS, ("AMPR_score", "MPVR_score", "FCR_score", "CMPV_score", "MCMPV_score"), strict=True))


def uniform(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    return np.random.RandomState(seed).uniform(-1, 1, shape).astype(np.float32)


def normal(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    return np.random.RandomState(seed).standard_normal(shape).astype(np.float32)


def drawn(row: dict[str, float]) -> tuple[np.ndarray, np.ndarray]:
    points, frames, seed, speed = (row[key] for key in ("points", "frames", "seed", "speed"))
    velocity, jitter = speed * normal(seed + 1, (points, 2)), 0.5 * normal(seed + 2, (frames, points, 2))
    places = 100 * uniform(seed, (points, 2)) + velocity * np.arange(frames)[:, None, None] + jitter
    level = np.full((frames, 1), -2.0) if speed < 0 else uniform(seed + 4, (frames, 1))
    visible = uniform(seed + 3, (frames, points)) > level
    visible[0] = True
    return places.astype(np.float32), visible


@pytest.mark.parametrize("row", CASE["rows"], ids=lambda row: f"{row['points']}x{row['frames']}")
def test_terms_and_score_are_the_published_ones(row) -> None:
    found = CHScore("official").of(*drawn(row))
    for name, key in KEYS.items():
        assert found.terms[name] / LARGEST[name] == pytest.approx(row["normalised"][key], rel=1e-5, abs=1e-9)
    assert found.terms["sum"] == pytest.approx(row["sum"], rel=1e-5)
    assert found.value == pytest.approx(row["chscore"], rel=1e-5)


def test_the_worked_example() -> None:
    """Missing shares 0, 0, .05, .05, .25, .25, .2, .2, of points that never move."""
    missing = [0, 0, 1, 1, 5, 5, 4, 4]
    visible = np.arange(20)[None] >= np.array(missing)[:, None]
    terms = loss_terms(np.zeros((8, 20, 2), np.float32), visible)
    expected = {"ampr": 0.125, "mpvr": 0.0731925, "fcr": 0.125, "cmpv": 1, "mcmpv": 0.2}
    assert terms == pytest.approx(expected, rel=1e-5)
    assert CHScore("official").of(np.zeros((8, 20, 2), np.float32), visible).value == pytest.approx(8.029869, rel=1e-5)


def test_a_flawless_video_is_worst_officially_and_left_out_of_the_median() -> None:
    still = np.zeros((6, 4, 2), np.float32)
    flawless, lossy = np.ones((6, 4), bool), np.ones((6, 4), bool)
    lossy[3:, 0] = False
    official, median, total = (CHScore(kind) for kind in ("official", "median", "sum"))
    scores = {
        metric.name: [metric.of(still, seen) for seen in (flawless, lossy)] for metric in (official, median, total)
    }
    assert scores["chscore"][0].value == 0.0
    assert scores["chscore_median"][0].value is None
    assert scores["chscore_median"][0].terms["flawless"] is True
    reciprocal = scores["chscore"][1].value
    assert official.over(scores["chscore"]).mean == pytest.approx(reciprocal / 2)
    assert median.over(scores["chscore_median"]).mean == reciprocal
    assert total.over(scores["chscore_sum"]).mean == pytest.approx(1 / reciprocal / 2)
    assert (official.higher_is_better, total.higher_is_better) == (True, False)


def test_what_goes_on_in_its_direction_is_not_missing() -> None:
    places = np.zeros((5, 2, 2), np.float32)
    places[:, 0, 0] = np.arange(5)
    visible = np.array([[True, True]] * 3 + [[False, False]] * 2)
    assert loss_terms(places, visible)["ampr"] == pytest.approx(2 / 5 / 2)


def test_two_frames_are_refused() -> None:
    with pytest.raises(ValueError, match="three frames"):
        loss_terms(np.zeros((2, 4, 2), np.float32), np.ones((2, 4), bool))
