from __future__ import annotations

import math

import pytest

from ops.config import Clipping
from ops.training.clipping.global_norm import GlobalNorm, Observation

BUCKET = "17x48x64"


def ema(**settings: float) -> GlobalNorm:
    return GlobalNorm(Clipping(method="ema", **settings))  # type: ignore[arg-type]


def observe(rule: GlobalNorm, *norms: float) -> Observation:
    """What the last of them was to the rule."""
    return [rule.observe(norm, BUCKET) for norm in norms][-1]


def test_a_fixed_norm_stays() -> None:
    rule = GlobalNorm(Clipping(method="fixed", max_norm=0.5))
    assert observe(rule, *[1e6] * 50) == Observation(0, 0)
    assert rule.threshold == 0.5


def test_the_first_step_clips_to_max_norm_and_starts_the_mean_low() -> None:
    rule = ema()
    assert rule.threshold == 1.0
    observe(rule, 0.2)
    assert (rule.statistics.mean, rule.statistics.variance) == (pytest.approx(0.6), 0.0)
    assert observe(ema(), 9.0) == Observation(0, 0)


def test_normal_steps_move_mean_and_variance_as_in_the_report() -> None:
    rule = ema(decay=0.9)
    observe(rule, 0.2, 0.5, 0.4)
    mean = 0.9 * 0.6 + 0.1 * 0.5
    variance = 0.1 * (mean - 0.5) ** 2
    mean = 0.9 * mean + 0.1 * 0.4
    variance = 0.9 * variance + 0.1 * (mean - 0.4) ** 2  # with the mean that already moved
    assert rule.statistics.mean == pytest.approx(mean)
    assert rule.statistics.variance == pytest.approx(variance)
    assert rule.threshold == pytest.approx(mean + 3 * math.sqrt(variance))


def test_large_steps_leave_the_statistics_alone_and_very_large_ones_are_spikes() -> None:
    rule = ema()
    observe(rule, 0.2)
    before = rule.threshold
    assert observe(rule, 4.9) == Observation(1, 0)
    assert observe(rule, 5.1) == Observation(2, 1)
    assert observe(rule, 5.1) == Observation(3, 2)
    assert rule.threshold == before
    assert observe(rule, 0.3, 5.1) == Observation(1, 1)


def test_norms_far_above_the_start_do_not_lock_it() -> None:
    """Norms of 8 to 10 kept the published threshold at 1 for ever."""
    norms = [9 + math.sin(number) for number in range(600)]
    rule = ema()
    thresholds = []
    for norm in norms:
        thresholds.append(rule.threshold)
        observe(rule, norm)
    assert thresholds[:11] == [1.0] * 11  # as published, until the tenth in a row above it
    clipped = [number for number, norm in enumerate(norms) if norm > thresholds[number]]
    assert max(clipped) < 25
    assert 10 < rule.threshold < 14
    assert rule.statistics.mean == pytest.approx(9, abs=0.1)


def test_a_slow_rise_does_not_lock_it() -> None:
    """At 0.3 % a step from 0.1 the published threshold came to rest at 0.316, while the norm reached 120."""
    rule, norm, clipped, longest = ema(), 0.1, 0, 0
    for _ in range(2367):
        clipped += norm > rule.threshold
        longest = max(longest, rule.observe(norm, BUCKET).in_a_row)
        norm *= 1.003
    assert norm == pytest.approx(120, rel=0.01)
    assert rule.threshold > norm
    assert longest < 25
    assert clipped < 50


@pytest.mark.parametrize("jump", [0.01, 1.0, 1e4])
def test_a_level_that_rises_at_once_is_followed_within_patience_and_eleven_steps(jump: float) -> None:
    rule = ema(patience=6)
    observe(rule, *[0.5] * 2000)
    steps = 0
    while rule.threshold < 0.5 + jump:
        seen = observe(rule, 0.5 + jump)
        steps += 1
        assert seen.in_a_row == steps
    assert 6 < steps <= 5 + 12


def test_a_bucket_that_is_always_above_it_is_followed_though_others_lie_between() -> None:
    rule = ema()
    observe(rule, *[0.5] * 500)
    below = 0
    for _ in range(200):
        for _ in range(3):
            rule.observe(0.5, "1x64x64")
        below += rule.threshold >= 3.0
        rule.observe(3.0, BUCKET)
    assert below > 150


def test_it_goes_on_where_it_was_saved() -> None:
    one, other = ema(), ema()
    observe(one, 0.3, 0.5, *[7.0] * 9)
    other.restore(one.state())
    assert other.state() == one.state()
    for rule in (one, other):
        observe(rule, 7.0)  # the tenth in a row
    assert other.threshold == one.threshold > 1.0
