"""Which samples each step sees: a pure function of (seed, dataset version, step).

A batch never mixes buckets, on any rank. Within an epoch every sample is seen; a bucket whose last batch is not full
is filled up with samples of its own. Nothing here has a position, so there is none to restore.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import cycle

import numpy as np

from ops.training.loop.randomness import seed_of


class NoBatches(ValueError):
    """The selection leaves nothing to train on; the message holds the bucket table."""


@dataclass(frozen=True)
class BucketCount:
    """A line of the table that a training prints before it starts. `repeated` samples fill its last batch."""

    bucket: str
    samples: int
    batches: int
    repeated: int


@dataclass(frozen=True)
class DataOrder:
    """`buckets` maps each bucket to its sample ids; `batch_size` counts samples over all ranks."""

    buckets: Mapping[str, tuple[str, ...]]
    batch_size: int
    seed: int
    dataset_version: str

    def __post_init__(self) -> None:
        if not self.batches_per_epoch:
            raise NoBatches(f"there are no samples to train on\n{table(self.counts())}")

    @property
    def batches_per_epoch(self) -> int:
        return sum(count.batches for count in self.counts())

    def counts(self) -> list[BucketCount]:
        return [
            BucketCount(
                name,
                len(ids),
                batches := -(-len(ids) // self.batch_size),
                batches * self.batch_size - len(ids),
            )
            for name, ids in sorted(self.buckets.items())
        ]

    def batch(self, step: int, left_out: Collection[str] = ()) -> tuple[str, ...]:
        """The sample ids of the global batch of a step, counted from 1. A rank takes a contiguous part of it.

        The places of samples that are left out go to others of their bucket, or, if none of it is left, the batch is
        the next one that has any.

        Raises:
            NoBatches: when everything is left out.
        """
        for later in range(self.batches_per_epoch):
            planned = self._planned(step + later)
            if not any(name in left_out for name in planned):
                return planned
            if remaining := [name for name in self._members(planned[0]) if name not in left_out]:
                return self._refilled(planned, remaining, left_out, step)
        raise NoBatches(f"all {sum(map(len, self.buckets.values()))} samples are left out")

    def _members(self, sample_id: str) -> list[str]:
        """The bucket of a sample."""
        return sorted(next(ids for ids in self.buckets.values() if sample_id in ids))

    def _refilled(
        self, planned: Sequence[str], remaining: Sequence[str], left_out: Collection[str], step: int
    ) -> tuple[str, ...]:
        """Samples that the batch does not hold are preferred, each at most once as long as there are enough."""
        kept = {name for name in planned if name not in left_out}
        free = [name for name in remaining if name not in kept]
        random = np.random.Generator(np.random.PCG64(seed_of(self.seed, self.dataset_version, "refill", step)))
        fillers = cycle([free[i] for i in random.permutation(len(free))] or remaining)
        return tuple(next(fillers) if name in left_out else name for name in planned)

    def _planned(self, step: int) -> tuple[str, ...]:
        epoch, index = divmod(step - 1, self.batches_per_epoch)
        return _epoch(
            tuple(sorted(self.buckets.items())),
            self.batch_size,
            seed_of(self.seed, self.dataset_version, epoch),
        )[index]


@lru_cache(maxsize=2)
def _epoch(buckets: tuple[tuple[str, tuple[str, ...]], ...], batch_size: int, seed: int) -> tuple[tuple[str, ...], ...]:
    random = np.random.Generator(np.random.PCG64(seed))
    batches = [batch for _, ids in buckets for batch in _batches(sorted(ids), batch_size, random)]
    return tuple(batches[i] for i in random.permutation(len(batches)))


def _batches(ids: Sequence[str], batch_size: int, random: np.random.Generator) -> list[tuple[str, ...]]:
    order = [ids[i] for i in random.permutation(len(ids))]
    missing = -len(order) % batch_size
    # the order begins with what the last, unfilled batch does not hold, unless it holds everything
    fillers = cycle([order[i] for i in random.permutation(max(0, len(order) - len(order) % batch_size))] or order)
    order += [next(fillers) for _ in range(missing)]
    return [tuple(order[i : i + batch_size]) for i in range(0, len(order), batch_size)]


def table(counts: Sequence[BucketCount]) -> str:
    """The buckets as lines of text."""
    lines = [f"{'bucket':<14}{'samples':>9}{'batches':>9}{'repeated':>9}"]
    lines += [f"{c.bucket:<14}{c.samples:>9}{c.batches:>9}{c.repeated:>9}" for c in counts]
    return "\n".join(lines if counts else [*lines, "(no bucket)"])
