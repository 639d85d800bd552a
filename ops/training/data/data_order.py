"""Which samples each step sees: a pure function of (seed, dataset version, step).

A batch never mixes buckets, on any rank. Within an epoch every sample is seen; a bucket whose last batch is not full
is filled up with samples of its own. Nothing here has a position, so there is none to restore.

An epoch is drawn once, when its first batch is asked for: a shuffle of four bytes a sample. A batch is then a part of
it, named without looking at any other sample.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ops.training.data.batch_sizes import NoBatches
from ops.training.loop.randomness import seed_of

Places = NDArray[np.uint32]
"""Of samples within their bucket."""


@dataclass(frozen=True)
class BucketCount:
    """A line of the table that a training prints before it starts. `repeated` samples fill its last batch."""

    bucket: str
    samples: int
    batch_size: int
    batches: int
    repeated: int


class _Planned(NamedTuple):
    """The batch of a step before anything is left out."""

    ids: Sequence[str]
    """Of its bucket."""
    places: Places


@dataclass(frozen=True)
class DataOrder:
    """`buckets` maps each bucket to its sample ids in ascending order, and `batch_sizes` to the samples of its batches,
    over all ranks."""

    buckets: Mapping[str, Sequence[str]]
    batch_sizes: Mapping[str, int]
    seed: int
    dataset_version: str
    _epochs: _Epochs = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.batches_per_epoch:
            raise NoBatches(f"there are no samples to train on\n{table(self.counts())}")
        object.__setattr__(self, "_epochs", _Epochs(self.counts()))

    @property
    def batches_per_epoch(self) -> int:
        return sum(count.batches for count in self.counts())

    def counts(self) -> list[BucketCount]:
        return [
            BucketCount(name, len(ids), size, batches := -(-len(ids) // size), batches * size - len(ids))
            for name, ids in sorted(self.buckets.items())
            for size in (self.batch_sizes[name],)
        ]

    def epoch(self, step: int) -> int:
        """Which time the samples are gone through in a step, counted from 0."""
        return (step - 1) // self.batches_per_epoch

    def batch(self, step: int, left_out: Collection[str] = ()) -> tuple[str, ...]:
        """The sample ids of the global batch of a step, counted from 1. A rank takes a contiguous part of it.

        The places of samples that are left out go to others of their bucket, or, if none of it is left, the batch is
        the next one that has any.

        Raises:
            NoBatches: when everything is left out.
        """
        for later in range(2 * self.batches_per_epoch):  # the rest of this epoch may not show what the next one does
            ids, places = self._planned(step + later)
            gone = _places_of(left_out, ids)
            missing = np.isin(places, gone)
            if len(gone) < len(ids):
                if missing.any():
                    places = self._refilled(places, missing, gone, len(ids), step)
                return tuple(ids[place] for place in places.tolist())
        raise NoBatches(f"all {sum(map(len, self.buckets.values()))} samples are left out")

    def _refilled(self, places: Places, missing: NDArray[np.bool_], gone: Places, count: int, step: int) -> Places:
        """Samples that the batch does not hold are preferred, each at most once as long as there are enough.

        Those are counted without being listed: the k-th of them is k and as many more as lie before it of the others.
        """
        taken = np.unique(np.concatenate([gone, places[~missing]])).astype(np.int64)
        if len(taken) == count:  # all that are left are in the batch already
            taken = gone.astype(np.int64)
        free, wanted = count - len(taken), int(missing.sum())
        random = np.random.Generator(np.random.PCG64(seed_of(self.seed, self.dataset_version, "refill", step)))
        drawn = np.resize(random.choice(free, min(free, wanted), replace=False), wanted)
        fillers = drawn + np.searchsorted(taken - np.arange(len(taken)), drawn, "right")
        refilled = places.copy()
        refilled[missing] = fillers
        return refilled

    def _planned(self, step: int) -> _Planned:
        epoch, index = self.epoch(step), (step - 1) % self.batches_per_epoch
        bucket, places = self._epochs.batch(seed_of(self.seed, self.dataset_version, epoch), index)
        return _Planned(self.buckets[sorted(self.buckets)[bucket]], places)


class _Epochs:
    """The orders of the two epochs last asked for, since batches are read ahead over the end of one."""

    def __init__(self, buckets: Sequence[BucketCount]) -> None:
        self._buckets = buckets
        self._ends = list(accumulate(bucket.batches for bucket in buckets))
        self._drawn = lru_cache(maxsize=2)(self._draw)

    def batch(self, seed: int, index: int) -> tuple[int, Places]:
        """The bucket of a batch, by number, and the places of its samples in it."""
        orders, turns = self._drawn(seed)
        turn = int(turns[index])
        bucket = int(np.searchsorted(self._ends, turn, "right"))
        size = self._buckets[bucket].batch_size
        first = (turn - (self._ends[bucket - 1] if bucket else 0)) * size
        return bucket, orders[bucket][first : first + size]

    def _draw(self, seed: int) -> tuple[list[Places], Places]:
        """The order of each bucket, filled up, and which batch, counted from bucket to bucket, has which turn."""
        random = np.random.Generator(np.random.PCG64(seed))
        orders = [_filled(bucket.samples, bucket.batch_size, random) for bucket in self._buckets]
        return orders, _shuffled(self._ends[-1], random)


def _filled(size: int, batch_size: int, random: np.random.Generator) -> Places:
    """The places of a bucket's samples in some order, and behind them those that fill its last batch."""
    missing, whole = -size % batch_size, size - size % batch_size
    filled = np.arange(size + missing, dtype=np.uint32)
    order = filled[:size]
    random.shuffle(order)
    # the order begins with what the last, unfilled batch does not hold, unless it holds everything
    fillers = order[_shuffled(whole, random)[:missing]] if whole else order
    filled[size:] = np.resize(fillers, missing)
    return filled


def _shuffled(count: int, random: np.random.Generator) -> Places:
    """`random.permutation(count)` in half of its memory: numpy draws the same, whatever the size of the numbers."""
    numbers = np.arange(count, dtype=np.uint32)
    random.shuffle(numbers)
    return numbers


def _places_of(names: Collection[str], ids: Sequence[str]) -> Places:
    """Where those of the names lie that are among the ids."""
    found = ((bisect_left(ids, name), name) for name in names)
    places = [place for place, name in found if place < len(ids) and ids[place] == name]
    return np.unique(np.array(places, np.uint32))


def table(counts: Sequence[BucketCount]) -> str:
    """The buckets as lines of text."""
    lines = [f"{'bucket':<14}{'samples':>9}{'a batch':>9}{'batches':>9}{'repeated':>9}"]
    lines += [f"{c.bucket:<14}{c.samples:>9}{c.batch_size:>9}{c.batches:>9}{c.repeated:>9}" for c in counts]
    return "\n".join(lines if counts else [*lines, "(no bucket)"])
