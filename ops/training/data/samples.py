"""The samples of a training: those that it learns from, in their order, and those that it is judged by."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from ops.catalogue import Kind
from ops.data.columns import Sample
from ops.data.samples import training_samples
from ops.training.data.data_order import DataOrder
from ops.training.job import Job
from ops.training.loop.randomness import seed_of


class NoHeldOutSamples(ValueError):
    """A training that could not be judged."""


@dataclass(frozen=True)
class TrainingSamples:
    """`looked_at` are the held-out samples that a validation looks at."""

    train: Sequence[Sample]
    held_out: Sequence[Sample]
    looked_at: Sequence[Sample]
    order: DataOrder

    @classmethod
    def of(cls, job: Job, kinds: tuple[Kind, ...]) -> TrainingSamples:
        """Those of these kinds, of the version of the training set that the job names.

        Raises:
            NoHeldOutSamples: when none is held out.
            NoBatches: when there is none to learn from.
        """
        schedule, seed = job.schedule, job.settings.seed
        train = training_samples(job.project, "train", kinds, job.dataset_version)
        held_out = training_samples(job.project, "held_out", kinds, job.dataset_version)
        require_held_out(held_out, kinds)
        order = DataOrder(by_bucket(train), schedule.batch_size, seed, job.dataset_version)
        return cls(train, held_out, drawn(held_out, schedule.validate_samples, seed), order)

    @property
    def count(self) -> int:
        """How many the training looks at, those of a validation included."""
        return len(self.train) + len(self.looked_at)

    @cached_property
    def by_id(self) -> Mapping[str, Sample]:
        return {row["sample_id"]: row for row in [*self.train, *self.held_out]}

    def source(self, sample_id: str) -> str:
        """The file that a sample is of, for a person."""
        return self.by_id[sample_id]["path"]

    def bucket(self, sample_id: str) -> str:
        """The bucket that it is in."""
        return self.by_id[sample_id]["bucket"]

    def notes(self) -> list[str]:
        """For the log, when a validation does not see everything that is held out."""
        seen, of = len(self.looked_at), len(self.held_out)
        return [f"validation looks at {seen:,} of {of:,} held-out samples (schedule.validate_samples)"] * (seen < of)


def require_held_out(rows: Sequence[Sample], kinds: Sequence[str]) -> None:
    if not rows:
        raise NoHeldOutSamples(
            f"the training set holds out no sample of kind {' or '.join(kinds)}, so this training could not be judged: "
            "raise dataset.held_out_share, or add sources"
        )


def by_bucket(rows: Sequence[Sample]) -> dict[str, tuple[str, ...]]:
    """Bucket → its sample ids."""
    buckets: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        buckets[row["bucket"]].append(row["sample_id"])
    return {bucket: tuple(ids) for bucket, ids in buckets.items()}


def drawn(rows: Sequence[Sample], count: int, seed: int) -> list[Sample]:
    """Up to `count` rows, evenly over the buckets, at least one of each as long as `count` allows.

    A row's place depends on the seed and on its own id, so a set that grows a little is drawn from much as before.
    """
    buckets = by_bucket(rows)
    places: dict[str, tuple[float, int]] = {}
    for ids in buckets.values():
        keys = {name: seed_of(seed, "validation", name) for name in ids}
        places |= {name: (place / len(ids), keys[name]) for place, name in enumerate(sorted(ids, key=keys.__getitem__))}
    chosen = set(sorted(places, key=places.__getitem__)[:count])
    return [row for row in rows if row["sample_id"] in chosen]


def same_size_batches(rows: Sequence[Sample], batch_size: int) -> list[list[Sample]]:
    """Every row once, in batches of one bucket, the last of a bucket perhaps smaller. The order is fixed."""
    batches = []
    for bucket in sorted({row["bucket"] for row in rows}):
        members = sorted((row for row in rows if row["bucket"] == bucket), key=lambda row: row["sample_id"])
        batches += [members[i : i + batch_size] for i in range(0, len(members), batch_size)]
    return batches


def spread_samples(rows: Sequence[Sample], count: int) -> list[Sample]:
    """Up to `count` rows, evenly over the list, videos first."""
    ordered = sorted(rows, key=lambda row: (row["kind"] != "video", row["sample_id"]))
    return [ordered[i * len(ordered) // count] for i in range(count)] if len(ordered) > count else ordered
