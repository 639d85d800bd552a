"""The training set as training walks through it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from ops.data.samples import Sample
from ops.training.randomness import seed_of


class NoHeldOutSamples(ValueError):
    """A training that could not be judged."""


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


def what_is_looked_at(looked_at: Sequence[Sample], held_out: Sequence[Sample]) -> list[str]:
    """A note for the log when a validation does not see everything that is held out."""
    if len(looked_at) == len(held_out):
        return []
    return [f"validation looks at {len(looked_at):,} of {len(held_out):,} held-out samples (schedule.validate_samples)"]


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
