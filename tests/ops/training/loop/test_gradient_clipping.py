from __future__ import annotations

import math

import pytest

from ops.config import Clipping
from ops.training.loop.gradient_clipping import GradientClipping


def test_a_fixed_norm_stays() -> None:
    clipping = GradientClipping(Clipping(method="fixed", max_norm=0.5))
    assert not clipping.observe(1e6)
    assert clipping.threshold == 0.5


def test_the_first_step_clips_to_max_norm_and_starts_the_mean_low() -> None:
    clipping = GradientClipping(Clipping())
    assert clipping.threshold == 1.0
    clipping.observe(0.2)
    assert (clipping.mean, clipping.variance) == (pytest.approx(0.6), 0.0)
    assert GradientClipping(Clipping()).observe(9.0) is False


def test_normal_steps_move_mean_and_variance_as_in_the_report() -> None:
    clipping = GradientClipping(Clipping(decay=0.9))
    for norm in (0.2, 0.5, 0.4):
        clipping.observe(norm)
    mean = 0.9 * 0.6 + 0.1 * 0.5
    variance = 0.1 * (mean - 0.5) ** 2
    mean = 0.9 * mean + 0.1 * 0.4
    variance = 0.9 * variance + 0.1 * (mean - 0.4) ** 2  # with the mean that already moved
    assert clipping.mean == pytest.approx(mean)
    assert clipping.variance == pytest.approx(variance)
    assert clipping.threshold == pytest.approx(mean + 3 * math.sqrt(variance))


def test_large_steps_leave_the_statistics_alone_and_very_large_ones_are_spikes() -> None:
    clipping = GradientClipping(Clipping())
    clipping.observe(0.2)
    before = clipping.state()
    assert not clipping.observe(4.9)
    assert clipping.state() == before
    assert clipping.observe(5.1)
    assert clipping.observe(5.1)
    assert clipping.spikes_in_a_row == 2
    assert (clipping.mean, clipping.variance) == (before["mean"], before["variance"])


def test_it_goes_on_where_it_was_saved() -> None:
    one, other = GradientClipping(Clipping()), GradientClipping(Clipping())
    for norm in (0.3, 0.5, 7.0):
        one.observe(norm)
    other.restore(one.state())
    assert other.threshold == one.threshold
    assert other.state() == one.state()
