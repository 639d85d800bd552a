import numpy as np
import pytest

from ops.statistics.bootstrap import mean_interval


def test_the_interval_holds_the_mean_and_is_the_same_twice() -> None:
    values = np.random.default_rng(1).normal(30, 2, 50).tolist()
    interval = mean_interval(values)
    assert interval == mean_interval(values)
    assert interval.low < interval.mean < interval.high
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * np.std(values) / 50**0.5, rel=0.1)
    assert mean_interval([3.0]).low == mean_interval([3.0]).high == 3.0
    with pytest.raises(ValueError, match="no items"):
        mean_interval([])
