import numpy as np
import pytest

from ops.metrics.ssim import frame_ssim


@pytest.mark.parametrize(("a", "b", "expected"), [(0, 1, 9.9990e-5), (0.5, 0.6, 0.983609), (0.2, 0.4, 0.800100)])
def test_constant_images_give_the_published_value(a: float, b: float, expected: float) -> None:
    value = frame_ssim(np.full((1, 16, 20, 3), float(a)), np.full((1, 16, 20, 3), float(b)))[0]
    assert value == pytest.approx(expected, rel=1e-5)


def test_an_image_is_like_itself() -> None:
    video = np.random.default_rng(0).random((2, 24, 24, 3))
    assert frame_ssim(video, video) == pytest.approx([1.0, 1.0])


def test_only_positions_where_the_window_fits_count() -> None:
    reference = np.random.default_rng(0).random((1, 11, 11, 3))
    by_hand = []
    offsets = np.arange(11) - 5
    window = np.exp(-(offsets[:, None] ** 2 + offsets[None] ** 2) / (2 * 1.5**2))
    window /= window.sum()
    other = np.clip(reference + 0.1, 0, 1)
    for channel in range(3):
        x, y = reference[0, ..., channel], other[0, ..., channel]
        mean_x, mean_y = (window * x).sum(), (window * y).sum()
        var_x, var_y = (window * x * x).sum() - mean_x**2, (window * y * y).sum() - mean_y**2
        cov = (window * x * y).sum() - mean_x * mean_y
        by_hand.append(
            (2 * mean_x * mean_y + 1e-4) / (mean_x**2 + mean_y**2 + 1e-4) * (2 * cov + 9e-4) / (var_x + var_y + 9e-4)
        )
    assert frame_ssim(reference, other)[0] == pytest.approx(np.mean(by_hand), rel=1e-12)


def test_frames_below_the_window_are_refused() -> None:
    with pytest.raises(ValueError, match="11 pixels"):
        frame_ssim(np.zeros((1, 10, 64, 3)), np.zeros((1, 10, 64, 3)))
