"""The arithmetic of the paper's adaptive clipping, in one process; `test_rank_update` has it on four ranks."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ops.config import Clipping
from ops.training.clipping.dropping import Dropping

PARITY: dict[str, Any] = json.loads(Path(__file__).with_name("gradient_clipping.json").read_text(encoding="utf-8"))
BUCKET = "93x352x640"


def dropping(**settings: Any) -> Dropping:
    return Dropping(Clipping(method="dropping", **settings))


def started(case: dict[str, Any]) -> Dropping:
    rule = dropping(decay=case["decay"])
    if start := case.get("start"):
        rule.statistics.begin(start["mean"], start["variance"])
    return rule


@pytest.mark.parametrize("name", PARITY)
def test_every_step_is_that_of_the_published_code(name: str) -> None:
    """Thresholds, who is dropped, the averaged gradient, and the statistics after each step.

    Not compared: a step of which no norm is finite has no largest norm, where the code reports 0.
    """
    case = PARITY[name]
    rule = started(case)
    for number, step in enumerate(case["steps"]):
        norms = [float(norm) for norm in step["norms"]]
        judged = rule.judge(norms, BUCKET)
        assert judged.threshold == pytest.approx(step["threshold"], rel=1e-5)
        assert [rank for rank, keep in enumerate(judged.kept) if not keep] == step["zeroed"]
        assert judged.kept.count(True) / case["ranks"] == step["coefficient"]
        assert rule.statistics.mean == pytest.approx(step["mean"], rel=1e-5)
        assert rule.statistics.variance == pytest.approx(step["variance"], rel=1e-5)
        if any(map(math.isfinite, norms)):
            assert judged.largest == pytest.approx(step["largest_before"], rel=1e-5)
            assert judged.distance == pytest.approx(step["step_variance"], rel=1e-3, abs=1e-7)  # a small difference
        assert (judged.largest_kept or 0.0) == pytest.approx(step["largest_after"], rel=1e-5)
        if any(judged.kept):
            mean = sum(
                judged.factor * np.array(gradient(case, number, rank)) / case["ranks"]
                for rank, keep in enumerate(judged.kept)
                if keep
            )
            assert mean == pytest.approx(np.array(step["averaged_gradient"]), rel=2e-5, abs=2e-6)
        else:
            assert math.isnan(judged.factor)


def gradient(case: dict[str, Any], step: int, rank: int) -> list[float]:
    """Of a rank before reduction: its norm times a direction of chance."""
    random = np.random.RandomState(case["direction_seed"] * 100003 + step * 101 + rank)
    direction = random.standard_normal(6)
    norm = float(case["steps"][step]["norms"][rank])
    return [float(value) for value in norm * direction / np.linalg.norm(direction)]


def test_what_is_not_finite_is_dropped_in_the_first_step_already() -> None:
    rule = dropping()
    judged = rule.judge([0.5, math.nan, 0.7, math.inf], BUCKET)
    assert judged.kept == (True, False, True, False)
    assert judged.factor == 2.0
    assert (rule.statistics.mean, rule.statistics.variance) == (0.7, 0.7)


def test_of_a_single_rank_a_dropped_step_leaves_the_statistics_alone() -> None:
    rule = dropping()
    for _ in range(300):
        rule.judge([1.0], BUCKET)
    before = rule.statistics.mean, rule.statistics.variance
    judged = rule.judge([50.0], BUCKET)
    assert (judged.kept, judged.largest_kept) == ((False,), None)
    assert (rule.statistics.mean, rule.statistics.variance) == before


def settled(**settings: Any) -> Dropping:
    """After 600 steps of norms of about 1."""
    rule = dropping(**settings)
    random = np.random.RandomState(0)
    for _ in range(600):
        rule.judge((1 + 0.1 * random.standard_normal(4)).tolist(), BUCKET)
    return rule


@pytest.mark.parametrize("level", [2.0, 40.0])
@pytest.mark.parametrize("ranks", [1, 4])
def test_a_level_that_has_risen_is_not_dropped_for_ever(level: float, ranks: int) -> None:
    """Published, the statistics stand still from the first such step on."""
    rule, dropped = settled(patience=10), 0
    while not all((judged := rule.judge([level] * ranks, BUCKET)).kept):
        dropped += 1
        assert judged.in_a_row == dropped
        assert dropped < 25
    assert dropped > 10
    assert judged.in_a_row == 0


def test_a_rank_that_stands_out_for_ever_is_dropped_no_longer() -> None:
    rule, dropped = settled(), 0
    for _ in range(100):
        dropped += rule.judge([1.0, 1.0, 1.0, 30.0], BUCKET).dropped
    assert 10 < dropped < 25


def test_a_rising_norm_is_hardly_dropped() -> None:
    rule, norm, dropped = settled(), 1.0, 0
    for _ in range(1500):
        dropped += not any(rule.judge([norm, 0.9 * norm], BUCKET).kept)
        norm *= 1.003
    assert norm > 80
    assert dropped < 40


def test_videos_whose_norms_have_risen_come_back_though_pictures_lie_between() -> None:
    rule, dropped = settled(), 0
    for _ in range(100):
        for _ in range(4):
            rule.judge([1.0] * 4, "1x352x640")
        dropped += bool(rule.judge([8.0] * 4, BUCKET).dropped)
    assert 10 < dropped < 40


def test_a_person_is_told_of_the_first_of_a_streak_and_then_now_and_then() -> None:
    rule = dropping(patience=5)
    assert [length for length in range(1, 21) if rule.is_to_be_told(length)] == [1, 2, 3, 4, 5, 10, 15, 20]


def test_it_goes_on_where_it_was_saved() -> None:
    one, other = settled(), dropping()
    for _ in range(9):
        one.judge([20.0] * 4, BUCKET)
    other.restore(json.loads(json.dumps(one.state())))
    for _ in range(30):
        assert one.judge([20.0] * 4, BUCKET) == other.judge([20.0] * 4, BUCKET)
    assert one.state() == other.state()


@pytest.mark.parametrize(
    "settings", [{"max_norm": 0}, {"max_norm": math.inf}, {"decay": 1.0}, {"decay": -0.1}, {"patience": 0}]
)
def test_settings_have_bounds(settings: dict[str, float]) -> None:
    (name,) = settings
    with pytest.raises(ValueError, match=rf"{name}\n  Input should be"):
        dropping(**settings)
