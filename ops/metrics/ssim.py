"""Structural similarity, frame by frame, on each colour channel (Wang et al. 2004)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ops.metrics.base import Measure, Needs, Pixels, Value, Video, VideoMetric
from ops.metrics.psnr import unit_range

if TYPE_CHECKING:
    from ops.weights.surroundings import Surroundings

WINDOW, SIGMA = 11, 1.5
C1, C2 = 0.01**2, 0.03**2


class Ssim(VideoMetric):
    """Of a video the mean of its frames', of a set the mean of its videos'."""

    name, version = "ssim", "1"
    higher_is_better = True
    needs = Needs(side=WINDOW, reference=True)

    def start(self, project: Surroundings) -> Measure:
        def measure(video: Video) -> Value:
            assert video.reference is not None  # else it is unfit
            return Value(float(frame_ssim(video.reference, video.frames).mean()))

        return measure


def frame_ssim(reference: Pixels, other: Pixels) -> NDArray[np.float64]:
    """Mean SSIM of each frame over the positions where the 11×11 window fits, and over R, G and B.

    Takes [T, H, W, 3], uint8 or floats in [0, 1], at least 11 pixels a side. In float64: the variances are small
    differences of large numbers.
    """
    x, y = unit_range(reference), unit_range(other)
    if min(x.shape[1:3]) < WINDOW:
        raise ValueError(f"SSIM needs sides of at least {WINDOW} pixels, but the video is {x.shape[1]}x{x.shape[2]}")
    return np.array([_ssim(a, b) for a, b in zip(x, y, strict=True)])


def _ssim(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    mean_x, mean_y = _blur(x), _blur(y)
    variance_x = _blur(x * x) - mean_x**2
    variance_y = _blur(y * y) - mean_y**2
    covariance = _blur(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + C1) / (mean_x**2 + mean_y**2 + C1)
    structure = (2 * covariance + C2) / (variance_x + variance_y + C2)
    return float((luminance * structure).mean())


def _blur(image: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.ndimage import correlate1d

    offsets = np.arange(WINDOW) - WINDOW // 2
    kernel = np.exp(-(offsets**2) / (2 * SIGMA**2))
    kernel /= kernel.sum()
    blurred = correlate1d(correlate1d(image, kernel, axis=0), kernel, axis=1)
    border = WINDOW // 2
    inner: NDArray[np.float64] = blurred[border:-border, border:-border]
    return inner
