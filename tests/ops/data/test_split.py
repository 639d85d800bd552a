from collections.abc import Iterable

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.data import split
from ops.data.buckets import Bucket
from ops.data.item_tally import ItemTally
from ops.data.split import EmptySplit

CONTENTS = [f"{number:064x}" for number in range(200)]


def held_out(contents: Iterable[str], share: float, seed: int, kind: str) -> set[str]:
    names = pa.array(list(contents), pa.string())
    return set(names.take(pa.array(split.held_out(names, share, seed, kind))).to_pylist())


def test_about_the_wanted_share_is_held_out():
    assert 10 <= len(held_out(CONTENTS, 0.1, 1234, "video")) <= 30


@given(st.sets(st.sampled_from(CONTENTS), min_size=2), st.floats(0.01, 0.99), st.integers(0, 1000))
def test_both_sides_are_never_empty(contents: set[str], share: float, seed: int):
    out = held_out(contents, share, seed, "video")
    assert out < contents
    assert out


def test_a_source_that_was_held_out_stays_so_when_others_come():
    first = held_out(CONTENTS[:100], 0.2, 7, "video")
    assert first == held_out(CONTENTS, 0.2, 7, "video") & set(CONTENTS[:100])


def test_the_seed_decides():
    assert held_out(CONTENTS, 0.2, 1, "video") != held_out(CONTENTS, 0.2, 2, "video")
    assert held_out(CONTENTS, 0.2, 1, "video") == held_out(reversed(CONTENTS), 0.2, 1, "video")


def test_a_single_content_cannot_be_split():
    with pytest.raises(EmptySplit, match="only 1 video source"):
        held_out(["a" * 64], 0.2, 0, "video")


def test_copies_count_once_in_whatever_parts_they_come():
    tally = ItemTally()
    for _ in range(3):
        tally.add("dataset", "video", Bucket(1, 16, 16), (16, 16), 1)
        tally.contents(["a" * 64])
    with pytest.raises(EmptySplit, match="only 1 video source"):
        tally.held_out(0.2, 0)
    tally.add("dataset", "video", Bucket(1, 16, 16), (16, 16), 2)
    tally.contents(["b" * 64])
    out = tally.held_out(0.2, 0).tolist()
    assert out in ([True] * 3 + [False], [False] * 3 + [True])
    assert tally.splits(tally.held_out(0.2, 0)).to_pylist() == [
        "held_out" if each else "train" for each in [*out, out[3]]
    ]


def test_a_kind_without_sources_holds_out_nothing():
    assert held_out([], 0.2, 0, "image") == set()
