"""Which of many series of perceptual hashes are near each other, without comparing all pairs.

A series is the hashes of the same few places of a clip, or the one hash of a picture. Two are near when the hashes of
every place differ in at most d bits. Cut a hash into d + m bands: then m bands of each place are equal in both. So
series are sorted by m bands of each of some places, for every choice of bands, and only those with equal keys are
compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, pairwise, product
from math import comb

import numpy as np

from ops.curation.scorers.phash import BITS

MOST_TOGETHER = 4
"""Bands of one hash in a key."""


def leaders(series: np.ndarray, max_distance: int) -> np.ndarray:
    """For each series its leader: itself, or the first series that is one's own leader and near.

    `series` is uint64 [n, places], in order of preference; the result is int64 [n]. Every series is near its leader,
    and no two leaders are near each other.
    """
    # equal series share their fate; without them no key is shared by very many
    _, first, group = np.unique(series, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    distinct = first[order]
    found: np.ndarray = distinct[_leaders(series[distinct], max_distance)][rank[group.ravel()]]
    return found


def _leaders(series: np.ndarray, max_distance: int) -> np.ndarray:
    better, worse = near_pairs(series, max_distance)
    leader = np.arange(len(series))
    # every pair with the same worse one comes together, its betters in order
    for one, other in sorted(zip(worse.tolist(), better.tolist(), strict=True)):
        if leader[one] == one and leader[other] == other:
            leader[one] = other
    return leader


def near_pairs(series: np.ndarray, max_distance: int) -> tuple[np.ndarray, np.ndarray]:
    """All pairs (i, j), i < j, of near series, each once: two arrays int64."""
    found = [np.empty((0, 2), np.int64)]
    for keys in _keys(series, max_distance):
        found += [pairs[_near(series, pairs, max_distance)] for pairs in _equal_pairs(keys)]
    pairs = np.unique(np.concatenate(found), axis=0)
    return pairs[:, 0], pairs[:, 1]


def _near(series: np.ndarray, pairs: np.ndarray, max_distance: int) -> np.ndarray:
    differing = np.bitwise_count(series[pairs[:, 0]] ^ series[pairs[:, 1]])
    near: np.ndarray = (differing <= max_distance).all(axis=1)
    return near


def _keys(series: np.ndarray, max_distance: int) -> Iterator[np.ndarray]:
    """A key for each series [n], for each choice of bands; near series share a key at least once.

    Longer keys are shared by fewer, but there are more of them: such are used as make the least work. Places farthest
    apart come first, for they differ most.
    """
    if len(series) < 2:
        return
    ways = [_Way(max_distance, *way) for way in product(range(1, series.shape[1] + 1), range(1, MOST_TOGETHER + 1))]
    way = min((way for way in ways if way.places * way.together * way.widest <= BITS), key=lambda way: way.work(series))
    ends_first = sorted(range(series.shape[1]), key=lambda place: min(place, series.shape[1] - 1 - place))
    for choice in product(combinations(way.bands, way.together), repeat=way.places):
        keys = np.zeros(len(series), np.uint64)
        for place, bands in zip(ends_first, choice, strict=False):
            for low, width in bands:
                band = (series[:, place] >> np.uint64(low)) & np.uint64((1 << width) - 1)
                keys = (keys << np.uint64(width)) | band
        yield keys


@dataclass(frozen=True)
class _Way:
    """Keys made of `together` bands of each of `places` places."""

    max_distance: int
    places: int
    together: int

    @property
    def bands(self) -> list[tuple[int, int]]:
        """(lowest bit, width) of each."""
        count = self.max_distance + self.together
        return [(low, high - low) for low, high in pairwise(round(band * BITS / count) for band in range(count + 1))]

    @property
    def widest(self) -> int:
        return max(width for _, width in self.bands)

    def work(self, series: np.ndarray) -> float:
        """How many series are sorted and pairs compared, if all bits were even."""
        count, narrowest = len(series), min(width for _, width in self.bands)
        keys = comb(self.max_distance + self.together, self.together) ** self.places
        return float(keys * (count + count**2 / 2 ** (self.places * self.together * narrowest + 1)))


def _equal_pairs(keys: np.ndarray) -> Iterator[np.ndarray]:
    """All pairs (i, j), i < j, of equal keys: some [m, 2] at a time."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    at = np.arange(len(keys) - 1)
    for lag in range(1, len(keys)):
        at = at[: np.searchsorted(at, len(keys) - lag)]
        at = at[ordered[at] == ordered[at + lag]]
        if not len(at):
            return
        yield np.stack([order[at], order[at + lag]], axis=1)
