from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from ops.made_world.drawing import coverage, draw
from ops.made_world.scenes import (
    COLOURS,
    DIRECTIONS,
    SHAPES,
    combinations,
    held_out_combinations,
    of_caption,
    scene_of,
    shown_combinations,
)


def test_every_word_of_what_is_held_out_is_known_from_what_is_shown() -> None:
    hidden, shown = held_out_combinations(), shown_combinations()
    assert len(hidden) == 12
    assert sorted([*hidden, *shown]) == sorted(combinations())
    assert Counter(each.colour for each in hidden) == dict.fromkeys(COLOURS, 3)
    assert Counter(each.shape for each in hidden) == dict.fromkeys(SHAPES, 4)
    assert Counter(each.direction for each in hidden) == dict.fromkeys(DIRECTIONS, 3)
    for one, other in (("colour", "shape"), ("colour", "direction"), ("shape", "direction")):
        pairs = {(getattr(each, one), getattr(each, other)) for each in shown}
        assert all((getattr(each, one), getattr(each, other)) in pairs for each in hidden)


def test_a_caption_names_its_combination_and_nothing_else_does() -> None:
    assert all(of_caption(each.caption) == each for each in combinations())
    assert of_caption("a red circle moves left.") is None
    assert of_caption("") is None


@pytest.mark.parametrize("combination", combinations()[::5])
def test_a_thing_stays_in_the_picture_and_keeps_its_area(combination) -> None:
    (thing,) = scene_of(combination, np.random.default_rng(1)).things
    area = np.pi * thing.size**2 / 4
    for moment in (0.0, 0.5, 1.0):
        cover = coverage(combination.shape, thing.size, *thing.at(moment), side=64)
        assert cover.mean() == pytest.approx(area, rel=0.03)
        assert cover[0].sum() == cover[-1].sum() == cover[:, 0].sum() == cover[:, -1].sum() == 0


def test_the_same_seed_draws_the_same_pixels() -> None:
    clips = [draw(scene_of(combinations()[7], np.random.default_rng(seed)), 3, 32) for seed in (4, 4, 5)]
    assert np.array_equal(clips[0], clips[1])
    assert not np.array_equal(clips[0], clips[2])
