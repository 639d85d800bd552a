from collections import Counter

import pytest

from ops.config import Dataset
from ops.data.buckets import Unusable
from ops.data.frame_windows import resampled, windows

DATASET = Dataset(num_frames=17, min_frames=9, fps=8, max_area=65536, windows_per_clip=4)


def test_frames_are_taken_at_the_wanted_rate():
    assert resampled(10, 20, 8.0, 8.0) == list(range(10, 20))
    assert resampled(10, 20, 8.05, 8.0) == list(range(10, 20))  # within 0.1: every frame
    assert resampled(0, 13, 25.0, 8.0) == [0, 3, 6, 9, 12]  # int(k · 3.125)
    assert resampled(0, 3, 4.0, 8.0) == [0, 0, 1, 1, 2, 2]  # a slower source repeats


def test_windows_are_seeded_different_and_in_order():
    found = windows("clip", 0, 100, 25.0, DATASET, seed=1)
    assert found == windows("clip", 0, 100, 25.0, DATASET, seed=1)
    assert found != windows("clip", 0, 100, 25.0, DATASET, seed=2)
    assert found != windows("other", 0, 100, 25.0, DATASET, seed=1)
    assert len({tuple(window) for window in found}) == 4
    assert found == sorted(found)
    assert {len(window) for window in found} == {17}
    everything = resampled(0, 100, 25.0, 8)
    assert all(window == everything[everything.index(window[0]) :][:17] for window in found)


def test_the_last_start_is_the_one_of_v1_3():
    """As in the published loader: begin in [0, max(0, n − F − 1)]."""
    starts = {windows("clip", 0, 20, 8.0, DATASET, seed)[k][0] for seed in range(20) for k in range(3)}
    assert starts == {0, 1, 2}


def test_a_short_clip_gives_one_window_of_what_it_has():
    assert windows("clip", 5, 20, 8.0, DATASET, seed=0) == [list(range(5, 18))]


def test_too_short_and_too_long_are_unusable():
    with pytest.raises(Unusable, match="too short"):
        windows("clip", 0, 8, 8.0, DATASET, seed=0)
    longest = 5 * 4 * 17
    assert windows("clip", 0, longest, 8.0, DATASET, seed=0)
    with pytest.raises(Unusable, match=r"longer than 42.5 s.*max_seconds"):
        windows("clip", 0, longest + 1, 8.0, DATASET, seed=0)


def test_each_epoch_draws_other_windows_and_every_one_comes_up() -> None:
    """As many, as long, in order and different, whatever else was drawn: nothing is remembered."""
    clip = ("clip", 0, 26, 8.0, DATASET, 3)
    assert windows(*clip, epoch=0) == windows(*clip)
    drawn = [windows(*clip, epoch=epoch) for epoch in range(400)]
    assert drawn[7] == windows(*clip, epoch=7)
    assert len({str(each) for each in drawn}) > 50
    for each in drawn:
        assert each == sorted(each)
        assert len({tuple(window) for window in each}) == 4
        assert {len(window) for window in each} == {17}
    begins = Counter(window[0] for each in drawn for window in each)
    assert sorted(begins) == list(range(9)), "of 26 frames those that the published loader may begin at"
    assert all(abs(count - 400 * 4 / 9) < 60 for count in begins.values())
