from __future__ import annotations

import torch

from ops.training.loop.randomness import normal, permutation, seed_of, uniform


def test_draws_depend_on_their_key_alone() -> None:
    first = normal((2, 3), 1, "noise", 5, 0)
    torch.manual_seed(99)
    torch.randn(10)
    assert torch.equal(first, normal((2, 3), 1, "noise", 5, 0))
    for other in ((2, "noise", 5, 0), (1, "posterior", 5, 0), (1, "noise", 6, 0), (1, "noise", 5, 1)):
        assert not torch.equal(first, normal((2, 3), *other))


def test_an_order_of_chance_depends_on_its_key_alone() -> None:
    first = permutation(1000, 1, "strata", 5)
    assert sorted(first) == list(range(1000))
    torch.manual_seed(99)
    permutation.cache_clear()
    assert permutation(1000, 1, "strata", 5) == first
    assert permutation(1000, 1, "strata", 6) != first


def test_keys_do_not_run_together() -> None:
    assert seed_of(1, 23) != seed_of(12, 3)


def test_numbers_are_spread_as_they_should_be() -> None:
    drawn = [uniform(0, index) for index in range(2000)]
    assert 0 <= min(drawn) < 0.01
    assert 0.99 < max(drawn) < 1
    assert abs(sum(drawn) / 2000 - 0.5) < 0.02
    noise = torch.stack([normal((100,), 0, index) for index in range(100)])
    assert abs(noise.mean()) < 0.03
    assert abs(noise.std() - 1) < 0.03
