import numpy as np
import pytest

from ops.metrics.psnr import capped_frames, frame_psnr


@pytest.mark.parametrize(("error", "decibel"), [(1 / 255, 48.1308), (0.1, 20.0), (0.5, 6.0206)])
def test_a_constant_error_gives_the_published_value(error: float, decibel: float) -> None:
    reference = np.full((2, 12, 16, 3), 0.25)
    assert frame_psnr(reference, reference + error) == pytest.approx([decibel, decibel], abs=5e-5)


def test_bytes_are_read_as_255ths() -> None:
    black = np.zeros((1, 12, 12, 3), np.uint8)
    assert frame_psnr(black, black + np.uint8(1))[0] == pytest.approx(48.1308, abs=5e-5)


def test_identical_frames_are_capped_one_by_one_and_counted() -> None:
    reference = np.zeros((3, 12, 12, 3))
    other = reference.copy()
    other[1] += 0.1
    values = frame_psnr(reference, other)
    assert values == pytest.approx([100.0, 20.0, 100.0])
    assert capped_frames(values) == 2


def test_a_video_is_the_mean_of_decibels_not_the_decibel_of_the_mean_error() -> None:
    reference = np.zeros((2, 12, 12, 3))
    other = reference.copy()
    other[0] += 0.1
    other[1] += 0.5
    pooled = 10 * np.log10(1 / np.mean([0.01, 0.25]))
    assert frame_psnr(reference, other).mean() == pytest.approx((20 + 6.0206) / 2, abs=1e-4)
    assert frame_psnr(reference, other).mean() > pooled


def test_values_outside_the_unit_range_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        frame_psnr(np.full((1, 4, 4, 3), -1.0), np.zeros((1, 4, 4, 3)))
