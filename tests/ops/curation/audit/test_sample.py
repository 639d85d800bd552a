from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from ops.curation.audit.sample import allocation, draw, stratum


def rows(**sizes: int) -> list[dict]:
    return [
        {"clip_id": f"{name}{number}", "rejected_by": None if name == "kept" else name}
        for name, size in sizes.items()
        for number in range(size)
    ]


@pytest.mark.parametrize(
    ("sizes", "count", "expected"),
    [
        ({"kept": 100, "motion": 50, "shots": 50}, 20, {"kept": 10, "motion": 5, "shots": 5}),
        ({"kept": 100, "motion": 50, "shots": 2}, 20, {"kept": 10, "motion": 8, "shots": 2}),
        ({"kept": 3, "motion": 50, "shots": 50}, 20, {"kept": 3, "motion": 9, "shots": 8}),
        ({"kept": 100, "motion": 1}, 21, {"kept": 20, "motion": 1}),
        ({"kept": 100}, 7, {"kept": 7}),
        ({"motion": 4}, 7, {"motion": 4}),
        ({"kept": 2, "motion": 3}, 1, {"kept": 1, "motion": 0}),
    ],
)
def test_half_are_kept_ones_and_every_step_has_its_share(
    sizes: dict[str, int], count: int, expected: dict[str, int]
) -> None:
    assert allocation(sizes, count) == expected


def test_a_draw_depends_on_clips_and_seed_alone() -> None:
    table = rows(kept=60, motion=30, aesthetics=5)
    drawn = [row["clip_id"] for row in draw(table, 20, seed=1)]
    assert [row["clip_id"] for row in draw(table[::-1], 20, seed=1)] == drawn
    assert [row["clip_id"] for row in draw(table, 20, seed=2)] != drawn
    assert len(set(drawn)) == 20


def test_a_larger_draw_keeps_the_clips_of_a_smaller_one() -> None:
    table = rows(kept=60, motion=30, aesthetics=5)
    small, large = ({row["clip_id"] for row in draw(table, count, seed=1)} for count in (12, 30))
    assert small < large


def test_no_clip_of_a_stratum_is_likelier_than_another() -> None:
    """1,000 draws of 4 of 20 kept clips: each is expected 200 times, with a standard deviation of 12.6."""
    table = rows(kept=20, motion=20)
    times = Counter(row["clip_id"] for seed in range(1000) for row in draw(table, 8, seed) if stratum(row) == "kept")
    assert len(times) == 20
    assert all(140 < count < 260 for count in times.values())


def test_kept_and_rejected_clips_come_mixed() -> None:
    order = [stratum(row) for row in draw(rows(kept=50, motion=50), 40, seed=0)]
    changes = sum(a != b for a, b in pairwise(order))
    assert changes > 10


def test_a_draw_of_all_and_more_is_all() -> None:
    assert len(draw(rows(kept=3, motion=2), 50, seed=0)) == 5
