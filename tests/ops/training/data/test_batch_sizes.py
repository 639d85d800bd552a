"""Batches by tokens: every step costs about the same, on every rank exactly the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ops.config import Dataset, Schedule
from ops.data.buckets import Bucket
from ops.training.data.batch_sizes import NoBatches, batch_sizes, largest, tokens, too_small
from ops.training.data.data_share import Shares
from ops.training.launching.ranks import Ranks

V1_3 = Dataset(num_frames=93, min_frames=29, fps=16, max_area=640 * 640)


def schedule(**changes: object) -> Schedule:
    given = {"steps": 1, "batch_size": 256, "checkpoint_every": 1, "validate_every": 1, "batch_by": "tokens"}
    return Schedule.model_validate({**given, "optimizer": {"learning_rate": 1e-4}, **changes})


def test_tokens_are_counted_as_the_denoiser_cuts_them() -> None:
    assert tokens(Bucket(93, 640, 640)) == 24 * 40 * 40
    assert tokens(Bucket(1, 352, 640)) == 22 * 40
    assert largest(V1_3, ("image", "video")) == Bucket(93, 640, 640)
    assert largest(V1_3, ("image",)) == Bucket(1, 640, 640)


def test_a_smaller_bucket_takes_as_many_more_samples_as_it_has_fewer_tokens() -> None:
    sizes = batch_sizes(("93x640x640", "1x640x640", "45x640x640", "93x480x640"), Bucket(93, 640, 640), schedule())
    assert sizes == {"93x640x640": 256, "1x640x640": 24 * 256, "45x640x640": 2 * 256, "93x480x640": 256}
    nearer = batch_sizes(("93x480x640",), Bucket(93, 640, 640), schedule(batch_multiple=64))
    assert nearer == {"93x480x640": 320}  # 341 would be as many tokens


def test_by_samples_all_are_equal() -> None:
    assert batch_sizes(("1x64x64", "93x640x640"), Bucket(93, 640, 640), schedule(batch_by="samples")) == {
        "1x64x64": 256,
        "93x640x640": 256,
    }


frames = st.integers(0, 23).map(lambda n: 1 + 4 * n)
sides = st.integers(1, 40).map(lambda n: 16 * n)


@given(st.builds(Bucket, frames, sides, sides), st.sampled_from((1, 2, 4, 8)), st.sampled_from((1, 2, 3)))
def test_no_batch_has_more_tokens_than_a_full_one_and_all_go_round_the_ranks(
    bucket: Bucket, ranks: int, accumulation: int
) -> None:
    multiple = 8 * 6
    plan = schedule(batch_size=4 * multiple, batch_multiple=multiple)
    full = Bucket(93, 640, 640)
    (size,) = batch_sizes((str(bucket),), full, plan).values()
    assert plan.batch_size <= size
    assert size * tokens(bucket) <= plan.batch_size * tokens(full)
    assert (size + multiple) * tokens(bucket) > plan.batch_size * tokens(full)
    shares = Shares.of(plan.batch_size, accumulation, Ranks(0, ranks, 0), multiple=multiple)
    share = shares.of_batch(bucket.frames, size)
    assert len(share.micro_batches) == accumulation
    assert share.micro_batch * accumulation * ranks == size


def test_a_multiple_that_does_not_go_round_is_named() -> None:
    with pytest.raises(ValueError, match=r"schedule.batch_multiple 6 cannot be divided over 4 ranks"):
        Shares.of(24, 1, Ranks(0, 4, 0), multiple=6)
    with pytest.raises(ValidationError, match="batch_multiple 100 must divide batch_size, 256"):
        schedule(batch_multiple=100)
    with pytest.raises(ValidationError, match="say batch_by: tokens"):
        schedule(batch_multiple=64, batch_by="samples")


def test_a_bucket_with_too_few_samples_is_counted_and_none_at_all_is_an_error() -> None:
    sizes = {"1x64x64": 256, "5x64x64": 256}
    assert too_small({"1x64x64": 1024, "5x64x64": 1023}, sizes, schedule(least_batches=4)) == {"5x64x64": 1023}
    assert too_small({"1x64x64": 3}, sizes, schedule()) == {}
    with pytest.raises(NoBatches, match=r"schedule.least_batches \(4\) of its batches: 1x64x64 has 1,023; lower"):
        too_small({"1x64x64": 1023}, sizes, schedule(least_batches=4))
