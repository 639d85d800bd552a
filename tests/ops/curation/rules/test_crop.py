from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.config import TextCrop
from ops.curation.rules.crop import central_share, crop_of

RULE = TextCrop()


def seen(*boxes: tuple[int, int, int, int], times: int = 4) -> list[list[tuple[int, int, int, int]]]:
    return [list(boxes)] * times


def test_goldens_of_the_specification() -> None:
    assert crop_of(seen((200, 800, 420, 480)), 1000, 500, RULE) == (0, 1000, 0, 420)
    assert crop_of(seen((200, 800, 380, 480)), 1000, 500, RULE) is None
    assert crop_of(seen((10, 120, 10, 60)), 1000, 500, RULE) == (0, 1000, 60, 500)


def test_a_corner_goes_with_the_side_that_costs_less() -> None:
    assert crop_of(seen((10, 50, 10, 60)), 1000, 500, RULE) == (50, 1000, 0, 500)


def test_all_four_sides_and_even_lines() -> None:
    boxes = [(0, 101, 240, 260), (903, 1000, 240, 260), (400, 600, 0, 51), (400, 600, 431, 500)]
    assert crop_of(seen(*boxes), 1000, 500, RULE) == (102, 902, 52, 430)


def test_the_deepest_box_of_a_side_counts() -> None:
    boxes = seen((200, 800, 440, 460), (200, 800, 410, 430))
    assert crop_of(boxes, 1000, 500, RULE) == (0, 1000, 0, 410)


@pytest.mark.parametrize(("times", "frames", "cropped"), [(1, 10, False), (2, 10, True), (1, 4, True), (1, 5, False)])
def test_a_single_sighting_among_many_does_not_crop(times: int, frames: int, cropped: bool) -> None:
    boxes: list = [[(200, 800, 420, 480)]] * times + [[]] * (frames - times)
    assert (crop_of(boxes, 1000, 500, RULE) is not None) == cropped


def test_central_text_is_measured_not_cropped() -> None:
    boxes = seen((400, 600, 200, 300), (0, 1000, 480, 500))
    assert crop_of(boxes, 1000, 500, RULE) == (0, 1000, 0, 480)
    assert central_share(boxes, 1000, 500, RULE) == pytest.approx(200 * 100 / 500_000)
    assert central_share([[]], 1000, 500, RULE) == 0
    assert central_share([], 1000, 500, RULE) is None


coordinates = st.tuples(st.integers(0, 999), st.integers(0, 999), st.integers(0, 499), st.integers(0, 499))


@given(st.lists(st.lists(coordinates, max_size=4), max_size=5))
def test_a_crop_is_even_inside_the_picture_and_never_small(frames: list) -> None:
    boxes = [
        [(min(a, b), max(a, b) + 1, min(c, d), max(c, d) + 1) for a, b, c, d in boxes_of_frame]
        for boxes_of_frame in frames
    ]
    crop = crop_of(boxes, 1000, 500, RULE)
    if crop is None:
        return
    x0, x1, y0, y1 = crop
    assert 0 <= x0 < x1 <= 1000
    assert 0 <= y0 < y1 <= 500
    assert not any(side % 2 for side in crop)
    assert x1 - x0 >= 600 - 2
    assert y1 - y0 >= 300 - 2
