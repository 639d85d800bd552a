"""The training set as training walks through it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from ops.data.samples import Sample


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


def same_size_batches(rows: Sequence[Sample], batch_size: int) -> list[list[Sample]]:
    """Every row once, in batches of one bucket, the last of a bucket perhaps smaller. The order is fixed."""
    batches = []
    for bucket in sorted({row["bucket"] for row in rows}):
        members = sorted((row for row in rows if row["bucket"] == bucket), key=lambda row: row["sample_id"])
        batches += [members[i : i + batch_size] for i in range(0, len(members), batch_size)]
    return batches
