"""Whatever the number of ranks, each place of a global batch is computed once, and always by the same samples."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.config import ConfigError
from ops.training.data.data_order import DataOrder
from ops.training.data.data_share import DataShare, Shares
from ops.training.launching.ranks import Ranks

counts = st.integers(1, 6)


@dataclass(frozen=True)
class World:
    parts: int
    ranks_of_a_part: int
    accumulation: int
    micro_batch: int

    @property
    def batch_size(self) -> int:
        return self.parts * self.accumulation * self.micro_batch

    @property
    def shares(self) -> list[DataShare]:
        """Of every rank, in the order of ranks."""
        size = self.parts * self.ranks_of_a_part
        ranks = [Ranks(rank, size, 0) for rank in range(size)]
        return [DataShare.of(self.batch_size, self.accumulation, each, self.ranks_of_a_part) for each in ranks]


worlds = st.builds(World, counts, counts, counts, counts)


@given(worlds)
def test_each_place_of_a_batch_is_on_exactly_one_rank_or_group(world: World) -> None:
    held = Counter(position for share in world.shares for position in share.positions)
    assert held == dict.fromkeys(range(world.batch_size), world.ranks_of_a_part)
    for first in range(0, len(world.shares), world.ranks_of_a_part):
        group = world.shares[first : first + world.ranks_of_a_part]
        assert len({share.positions for share in group}) == 1, "a group computes the same samples"


@given(worlds)
def test_micro_batches_are_the_places_of_a_rank_in_order(world: World) -> None:
    for share in world.shares:
        assert [position for each in share.micro_batches for position in each] == list(share.positions)
        assert {len(each) for each in share.micro_batches} == {world.micro_batch}
        assert len(share.micro_batches) == world.accumulation


@given(worlds, st.integers(0, 40))
def test_things_that_ranks_share_out_are_seen_by_one_rank_or_group(world: World, count: int) -> None:
    seen = Counter(thing for share in world.shares for thing in share.portion(range(count)))
    assert seen == dict.fromkeys(range(count), world.ranks_of_a_part)


@given(st.dictionaries(st.sampled_from("abc"), st.integers(1, 9), min_size=1), worlds, st.integers(1, 30), st.data())
def test_ranks_together_see_what_one_rank_would(
    sizes: dict[str, int], world: World, step: int, data: st.DataObject
) -> None:
    buckets = {name: tuple(f"{name}{number}" for number in range(size)) for name, size in sizes.items()}
    order = DataOrder(buckets, dict.fromkeys(buckets, world.batch_size), 1, "v")
    every = [name for ids in buckets.values() for name in ids]
    left_out = data.draw(st.sets(st.sampled_from(every), max_size=len(every) - 1))
    alone = order.batch(step, left_out)
    together = [alone[position] for share in world.shares[:: world.ranks_of_a_part] for position in share.positions]
    assert tuple(together) == alone
    assert len(alone) == world.batch_size
    assert not left_out & set(alone)


@pytest.mark.parametrize(
    ("batch_size", "ranks", "accumulation", "group", "words"),
    [
        (12, 5, 1, 1, "batch_size 12 cannot be divided over 5 ranks.*a multiple of 5"),
        (12, 4, 2, 1, "a multiple of 8"),
        (2, 4, 1, 1, "a multiple of 4"),
        (12, 4, 1, 3, "4 ranks cannot be divided into groups of 3"),
    ],
)
def test_what_cannot_be_divided_is_named(
    batch_size: int, ranks: int, accumulation: int, group: int, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        DataShare.of(batch_size, accumulation, Ranks(0, ranks, 0), group)


@pytest.mark.parametrize(
    ("batch_size", "ranks", "of_a_video", "together"),
    [(8, 4, 2, 1), (6, 4, 2, 2), (8, 16, 8, 2), (2, 16, 8, 8), (4, 4, 1, 1), (12, 8, 4, 2)],
)
def test_images_are_computed_by_as_few_ranks_as_the_batch_goes_round(
    batch_size: int, ranks: int, of_a_video: int, together: int
) -> None:
    shares = [Shares.of(batch_size, 1, Ranks(rank, ranks, 0), of_a_video) for rank in range(ranks)]
    for frames, of_a_sample in ((1, together), (5, of_a_video)):
        held = Counter(place for share in shares for place in share.of_batch(frames, batch_size).positions)
        assert held == dict.fromkeys(range(batch_size), of_a_sample)
