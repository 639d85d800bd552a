"""How many samples a batch of each bucket has, so that steps cost about the same, whatever is in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from models import geometry
from ops.catalogue import Kind
from ops.config import Cut, Schedule
from ops.data.buckets import Bucket


class NoBatches(ValueError):
    """The selection leaves nothing to train on; the message says what there was."""


def tokens(bucket: Bucket) -> int:
    """Of one sample."""
    return geometry.tokens(bucket.frames, bucket.height, bucket.width)


def largest(dataset: Cut, kinds: Iterable[Kind]) -> Bucket:
    """The bucket of these kinds with the most tokens that the settings allow, whether or not any sample is in it."""
    height, width = max(dataset.sizes().values(), key=lambda size: size[0] * size[1])
    return Bucket(dataset.num_frames if "video" in kinds else 1, height, width)


def batch_sizes(buckets: Iterable[str], full: Bucket, schedule: Schedule) -> dict[str, int]:
    """The samples of a batch of each bucket, over all ranks, if one of the bucket `full` has `schedule.batch_size`.

    By tokens it is the largest multiple of `schedule.batch_multiple` with which the batch has no more tokens than that
    one. It does not depend on the launch, and no batch mixes buckets: in each step all ranks compute equal tokens, and
    no token is padding (compare the min-max tokens of arXiv 2412.00131).
    """
    if schedule.batch_by == "samples":
        return dict.fromkeys(buckets, schedule.batch_size)
    most, multiple = schedule.batch_size * tokens(full), schedule.batch_multiple or schedule.batch_size
    return {name: max(most // tokens(Bucket.parse(name)) // multiple, 1) * multiple for name in buckets}


def too_small(samples: Mapping[str, int], sizes: Mapping[str, int], schedule: Schedule) -> dict[str, int]:
    """The buckets that have samples for fewer than `schedule.least_batches` of their batches, and how many they have.

    Raises:
        NoBatches: when all are.
    """
    small = {name: count for name, count in samples.items() if count < schedule.least_batches * sizes[name]}
    if samples and len(small) == len(samples):
        told = ", ".join(f"{name} has {count:,}" for name, count in sorted(small.items()))
        raise NoBatches(
            f"no bucket has samples for schedule.least_batches ({schedule.least_batches:g}) of its batches: {told}; "
            "lower it or schedule.batch_size, or add sources"
        )
    return small
