import numpy as np
import pytest

from ops.metrics.temporal_flickering import temporal_flickering


def test_a_still_video_scores_one() -> None:
    assert temporal_flickering(np.full((5, 8, 8, 3), 77, np.uint8)) == 1.0


def test_black_and_white_in_turn_score_zero() -> None:
    video = np.zeros((4, 8, 8, 3), np.uint8)
    video[1::2] = 255
    assert temporal_flickering(video) == 0.0


def test_it_is_the_mean_over_adjacent_pairs() -> None:
    video = np.zeros((3, 4, 4, 3), np.uint8)
    video[2] = 51  # differences 0 and 51
    assert temporal_flickering(video) == pytest.approx((255 - 25.5) / 255)


def test_differences_of_bytes_do_not_wrap_around() -> None:
    video = np.array([10, 0], np.uint8)[:, None, None, None] * np.ones((2, 4, 4, 3), np.uint8)
    assert temporal_flickering(video) == pytest.approx(245 / 255)


def test_one_frame_has_no_flicker_to_measure() -> None:
    with pytest.raises(ValueError, match="has 1"):
        temporal_flickering(np.zeros((1, 4, 4, 3), np.uint8))
