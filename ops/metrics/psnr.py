"""Peak signal-to-noise ratio, frame by frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from ops.metrics.base import Measure, Needs, Pixels, Value, Video, VideoMetric

if TYPE_CHECKING:
    from ops.weights.surroundings import Surroundings

CAP = 100.0
"""dB given to a frame whose error is below 1e-10, where the logarithm runs away."""


class Psnr(VideoMetric):
    """Of a video the mean of its frames' dB, of a set the mean of its videos'."""

    name, version = "psnr", "1"
    higher_is_better = True
    needs = Needs(reference=True)
    terms: ClassVar = {"capped_frames": int}

    def start(self, project: Surroundings) -> Measure:
        def measure(video: Video) -> Value:
            assert video.reference is not None  # else it is unfit
            decibels = frame_psnr(video.reference, video.frames)
            return Value(float(decibels.mean()), {"capped_frames": capped_frames(decibels)})

        return measure


def frame_psnr(reference: Pixels, other: Pixels) -> NDArray[np.float64]:
    """dB of each frame: 10·log10(1/MSE) on values in [0, 1], at most `CAP`.

    Takes [T, H, W, 3], uint8 or floats in [0, 1]. A video's PSNR is the mean of its frames' dB, a data set's the
    mean of its videos': not the dB of a pooled error, which is lower.
    """
    error = unit_range(reference) - unit_range(other)
    mse = np.square(error).mean(axis=(1, 2, 3))
    return np.where(mse < 1e-10, CAP, -10.0 * np.log10(np.maximum(mse, 1e-10)))


def capped_frames(values: NDArray[np.float64]) -> int:
    """How many of these frames carry the cap instead of a measurement."""
    return int((values >= CAP).sum())


def unit_range(video: Pixels) -> NDArray[np.float64]:
    """[T, H, W, 3] as float64 in [0, 1]; integers are divided by 255."""
    if video.ndim != 4 or video.shape[-1] != 3:
        raise ValueError(f"a video is [T, H, W, 3], but this has the shape {list(video.shape)}")
    if video.dtype == np.uint8:
        return video.astype(np.float64) / 255.0
    if video.size and (video.min() < 0 or video.max() > 1):
        raise ValueError(f"values must lie in [0, 1], but reach from {video.min():.3g} to {video.max():.3g}")
    return video.astype(np.float64)
