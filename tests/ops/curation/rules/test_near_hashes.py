from __future__ import annotations

import numpy as np
import pytest

from ops.curation.rules import near_hashes
from ops.curation.rules.near_hashes import leaders, near_pairs


def all_pairs(series: np.ndarray, max_distance: int) -> set[tuple[int, int]]:
    """By comparing every series with every other."""
    apart = np.bitwise_count(series[:, None] ^ series[None, :]).max(axis=2)
    return {(int(i), int(j)) for i, j in np.argwhere(apart <= max_distance) if i < j}


def flipped(series: np.ndarray, bits: int, random: np.random.Generator) -> np.ndarray:
    """Exactly `bits` bits of every hash changed."""
    masks = [sum(1 << int(bit) for bit in random.choice(64, bits, replace=False)) for _ in series.ravel()]
    return series ^ np.array(masks, np.uint64).reshape(series.shape)


def drawn(count: int, places: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2**64, (count, places), np.uint64)


@pytest.mark.parametrize("places", [1, 2, 4])
@pytest.mark.parametrize("max_distance", [0, 1, 4, 6, 10])
def test_the_index_misses_no_pair(max_distance: int, places: int) -> None:
    random = np.random.default_rng(1)
    base = drawn(60, places)
    copies = [flipped(base, bits, random) for bits in (0, max_distance, max_distance + 1)]
    series = random.permutation(np.concatenate([base, *copies]))
    found = set(zip(*(side.tolist() for side in near_pairs(series, max_distance)), strict=True))
    assert found == all_pairs(series, max_distance)
    assert len(found) >= 60


def test_one_place_that_differs_is_enough() -> None:
    series = np.zeros((2, 4), np.uint64)
    series[1, 2] = 0b11111
    assert leaders(series, 4).tolist() == [0, 1]
    assert leaders(series, 5).tolist() == [0, 0]


def test_the_first_leads_and_nobody_follows_a_follower() -> None:
    """A chain in which each is near the next: the third is near the second only, which is out."""
    chain = np.array([[0], [0b111], [0b111111], [0b111111111]], np.uint64)
    assert leaders(chain, 3).tolist() == [0, 0, 2, 2]
    assert leaders(chain[::-1].copy(), 3).tolist() == [0, 0, 2, 2]
    assert leaders(chain[[1, 0, 2, 3]], 3).tolist() == [0, 0, 0, 3]


def test_equal_series_follow_the_first_of_them() -> None:
    series = np.array([[5, 5], [9, 0], [5, 5], [9, 0], [5, 4]], np.uint64)
    assert leaders(series, 0).tolist() == [0, 1, 0, 1, 4]
    assert leaders(series, 1).tolist() == [0, 1, 0, 1, 0]


def test_nothing_and_one() -> None:
    assert leaders(np.zeros((0, 4), np.uint64), 4).tolist() == []
    assert leaders(np.zeros((1, 4), np.uint64), 4).tolist() == [0]


def test_of_a_hundred_thousand_few_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten thousand of them are copies with up to four bits changed a hash, and a thousand are all the same. All pairs
    would be five billion."""
    compared, near = [], near_hashes._near

    def counted(series: np.ndarray, pairs: np.ndarray, max_distance: int) -> np.ndarray:
        compared.append(len(pairs))
        return near(series, pairs, max_distance)

    monkeypatch.setattr(near_hashes, "_near", counted)
    random = np.random.default_rng(2)
    base = drawn(89_000, 4)
    copies = flipped(base[:10_000], 4, random)
    same = np.repeat(base[:1], 1_000, axis=0)
    series = np.concatenate([base, copies, same])
    found = leaders(series, 4)
    assert found[:89_000].tolist() == list(range(89_000))
    assert found[89_000:99_000].tolist() == list(range(10_000))
    assert not found[99_000:].any()
    assert 10_000 <= sum(compared) < 10 * len(series)
