from __future__ import annotations

from collections import Counter
from typing import Any, cast

from ops.data.columns import Sample
from ops.training.data.data_order import DataOrder
from ops.training.data.samples import TrainingSamples, drawn


def rows(**buckets: int) -> list[Sample]:
    made: list[dict[str, Any]] = [
        {"sample_id": f"{bucket}{n}", "bucket": bucket} for bucket, count in buckets.items() for n in range(count)
    ]
    return cast(list[Sample], made)


def samples(held_out: list[Sample], looked_at: list[Sample]) -> TrainingSamples:
    return TrainingSamples((), held_out, looked_at, DataOrder({"wide": ("a",)}, 1, 1, "v"))


def test_a_validation_draws_evenly_and_sees_every_bucket() -> None:
    everything = rows(wide=600, tall=300, still=2)
    chosen = drawn(everything, 93, seed=1)
    counts = Counter(row["bucket"] for row in chosen)
    assert counts.total() == 93
    assert abs(counts["wide"] - 2 * counts["tall"]) <= 2
    assert counts["still"] == 1
    assert chosen != drawn(everything, 93, seed=2)
    assert samples(everything, chosen).notes() == [
        "validation looks at 93 of 902 held-out samples (schedule.validate_samples)"
    ]


def test_a_set_that_grows_a_little_is_drawn_from_as_before() -> None:
    before, after = (drawn(rows(wide=count), 50, seed=1) for count in (500, 520))
    assert len({row["sample_id"] for row in before} & {row["sample_id"] for row in after}) >= 44


def test_all_are_looked_at_when_there_are_few() -> None:
    everything = rows(wide=5, still=3)
    assert drawn(everything, 8, seed=1) == everything
    assert samples(everything, everything).notes() == []
