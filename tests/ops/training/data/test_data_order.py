from __future__ import annotations

from collections import Counter
from itertools import cycle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.training.data.batch_sizes import NoBatches
from ops.training.data.data_order import DataOrder, table
from ops.training.loop.randomness import seed_of

BUCKETS = {"1x64x64": tuple(f"i{n}" for n in range(7)), "17x48x64": tuple(f"v{n}" for n in range(8))}


def order(**changes: object) -> DataOrder:
    given = {"buckets": BUCKETS, "batch_size": 4, "seed": 1, "dataset_version": "a", **changes}
    buckets, size = given.pop("buckets"), given.pop("batch_size")
    return DataOrder(buckets, dict.fromkeys(buckets, size), **given)  # type: ignore[arg-type, call-overload]


def test_a_batch_never_mixes_buckets() -> None:
    for step in range(1, 20):
        assert len({name[0] for name in order().batch(step)}) == 1


def test_an_epoch_shows_every_sample_and_repeats_only_what_fills_the_last_batch() -> None:
    shown = Counter(name for step in range(1, 5) for name in order().batch(step))
    assert set(shown) == {name for ids in BUCKETS.values() for name in ids}
    assert sum(shown.values()) == 16
    assert max(shown.values()) == 2
    assert all(shown[name] == 1 for name in BUCKETS["17x48x64"])


def test_no_sample_is_twice_in_a_batch_that_its_bucket_can_fill() -> None:
    for step in range(1, 40):
        assert len(set(order().batch(step))) == 4


def test_a_bucket_smaller_than_a_batch_is_not_dropped() -> None:
    small = order(buckets={"1x64x64": ("a", "b", "c")}, batch_size=8)
    assert Counter(small.batch(1)).keys() == {"a", "b", "c"}
    assert len(small.batch(1)) == 8


def test_it_is_a_function_of_seed_version_and_step_alone() -> None:
    turned = {name: BUCKETS[name] for name in reversed(BUCKETS)}
    assert [order(buckets=turned).batch(step) for step in (9, 1, 5)] == [order().batch(step) for step in (9, 1, 5)]
    for change in ({"seed": 2}, {"dataset_version": "b"}):
        assert [order(**change).batch(step) for step in range(1, 5)] != [order().batch(step) for step in range(1, 5)]


def test_epochs_differ() -> None:
    assert [order().batch(step) for step in range(1, 5)] != [order().batch(step) for step in range(5, 9)]


def test_the_table_counts_samples_batches_and_repeats() -> None:
    lines = table(order().counts()).splitlines()
    assert lines[1].split() == ["17x48x64", "8", "4", "2", "0"]
    assert lines[2].split() == ["1x64x64", "7", "4", "2", "1"]


def test_nothing_to_train_on_is_an_error_with_the_table() -> None:
    with pytest.raises(NoBatches, match=r"no samples to train on\nbucket +samples(?s:.*)no bucket"):
        order(buckets={})


def test_the_places_of_what_is_left_out_go_to_others_of_the_bucket() -> None:
    gone = {"v0", "v1", "v2"}
    for step in range(1, 40):
        planned, given = order().batch(step), order().batch(step, gone)
        assert not gone & set(given)
        assert len({name[0] for name in given}) == 1
        assert [new for new, old in zip(given, planned, strict=True) if old not in gone] == [
            old for old in planned if old not in gone
        ]
        assert len(set(given)) == 4, "there are enough others"
        assert given == order().batch(step, gone)


def test_when_a_whole_bucket_is_left_out_other_batches_take_its_turns() -> None:
    for step in range(1, 20):
        assert {name[0] for name in order().batch(step, set(BUCKETS["1x64x64"]))} == {"v"}
    with pytest.raises(NoBatches, match="all 15 samples are left out"):
        order().batch(1, {name for ids in BUCKETS.values() for name in ids})


@given(
    st.dictionaries(st.sampled_from("abcd"), st.tuples(st.integers(1, 12), st.integers(1, 8)), min_size=1),
    st.integers(0, 5),
    st.integers(0, 3),
)
def test_any_epoch_shows_every_sample_in_batches_of_one_bucket(
    given_: dict[str, tuple[int, int]], seed: int, epoch: int
) -> None:
    """Each bucket may have batches of a size of its own."""
    sizes, batch_sizes = ({name: each[i] for name, each in given_.items()} for i in (0, 1))
    buckets = {name: tuple(f"{name}{number:02d}" for number in range(size)) for name, size in sizes.items()}
    whole = DataOrder(buckets, batch_sizes, seed, "v")
    first = epoch * whole.batches_per_epoch + 1
    batches = [whole.batch(step) for step in range(first, first + whole.batches_per_epoch)]
    shown = Counter(name for batch in batches for name in batch)
    assert shown.keys() == {name for ids in buckets.values() for name in ids}
    assert sum(shown.values()) - sum(sizes.values()) == sum(count.repeated for count in whole.counts())
    for batch in batches:
        (bucket,) = {name[0] for name in batch}
        assert len(batch) == batch_sizes[bucket]
    assert batches == in_lists(buckets, batch_sizes, seed_of(seed, "v", epoch))


def in_lists(buckets: dict[str, tuple[str, ...]], batch_sizes: dict[str, int], seed: int) -> list[tuple[str, ...]]:
    """The oracle: an epoch, all of it, in Python."""
    random = np.random.Generator(np.random.PCG64(seed))
    batches = []
    for name, ids in sorted(buckets.items()):
        batch_size = batch_sizes[name]
        shown = [ids[i] for i in random.permutation(len(ids))]
        full = len(shown) - len(shown) % batch_size
        fillers = cycle([shown[i] for i in random.permutation(full)] or shown)
        shown += [next(fillers) for _ in range(-len(shown) % batch_size)]
        batches += [tuple(shown[i : i + batch_size]) for i in range(0, len(shown), batch_size)]
    return [batches[i] for i in random.permutation(len(batches))]


def test_a_batch_is_found_though_it_is_late_in_the_next_epoch() -> None:
    """Two buckets of one batch each, of which one is left out: two epochs may begin and end with that one."""
    order = DataOrder({"a": ("a0",), "b": ("b0",)}, {"a": 1, "b": 1}, 1, "v")
    assert {order.batch(step, {"b0"}) for step in range(1, 100)} == {("a0",)}


@given(st.integers(1, 30), st.integers(1, 8), st.integers(1, 40), st.data())
def test_fillers_are_samples_that_are_left_and_each_comes_once_as_long_as_there_are_enough(
    size: int, batch_size: int, step: int, data: st.DataObject
) -> None:
    ids = tuple(f"{number:02d}" for number in range(size))
    gone = data.draw(st.sets(st.sampled_from(ids), max_size=size - 1))
    left = size - len(gone)
    given_ = DataOrder({"all": ids}, {"all": batch_size}, 1, "v").batch(step, gone)
    assert not gone & {*given_}
    assert len({*given_}) >= min(left, len({*DataOrder({"all": ids}, {"all": batch_size}, 1, "v").batch(step)}))


def test_any_sample_may_fill_a_place() -> None:
    ids = tuple(f"{number:02d}" for number in range(12))
    gone = {"00", "05", "11"}
    order = DataOrder({"all": ids}, {"all": 4}, 1, "v")
    filled = {name for step in range(1, 200) for name in {*order.batch(step, gone)} - {*order.batch(step)}}
    assert filled == {*ids} - gone
