"""Statistics of natural pictures, as BRISQUE and NIQE use them: locally normalised grey levels and their spread."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage
from scipy.special import gamma

_WINDOW = np.exp(-(np.arange(-3, 4) ** 2) / (2 * (7 / 6) ** 2))
_WINDOW /= _WINDOW.sum()
_SHAPES = np.arange(0.2, 10, 0.001)
_SHAPE_RATIOS = gamma(2 / _SHAPES) ** 2 / (gamma(1 / _SHAPES) * gamma(3 / _SHAPES))
NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))
"""Shifts (down, right) of the products of neighbours: horizontal, vertical, both diagonals."""


@dataclass(frozen=True)
class Spread:
    """An asymmetric generalised Gaussian: its shape, and the root mean square left and right of zero."""

    shape: float
    left: float
    right: float

    @property
    def scale(self) -> float:
        """Turns a root mean square into the distribution's own scale parameter."""
        return float(np.sqrt(gamma(1 / self.shape) / gamma(3 / self.shape)))

    @property
    def mean(self) -> float:
        return (self.right - self.left) * self.scale * float(gamma(2 / self.shape) / gamma(1 / self.shape))


def luma(picture: np.ndarray) -> np.ndarray:
    """Grey levels 0–255 (float32) of an RGB picture [H, W, 3], weights of ITU-R BT.601."""
    return picture.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)


def halved(grey: np.ndarray) -> np.ndarray:
    """Half the size, bicubic with antialiasing."""
    size = (grey.shape[1] // 2, grey.shape[0] // 2)
    return np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.BICUBIC))


def normalised(grey: np.ndarray) -> np.ndarray:
    """Mean-subtracted, contrast-normalised coefficients, (I − μ) / (σ + 1), with a 7×7 Gaussian window."""
    mean, square = _blurred(grey), _blurred(grey * grey)
    coefficients: np.ndarray = (grey - mean) / (np.sqrt(np.abs(square - mean * mean)) + 1)
    return coefficients


def spread_of(values: np.ndarray) -> Spread:
    """Fit by matching moments. Values of one sign (a flat patch) get the narrowest shape, far from any natural one."""
    left, right = _root_mean_square(values[values < 0]), _root_mean_square(values[values >= 0])
    if left == 0 or right == 0:
        return Spread(float(_SHAPES[0]), left, right)
    ratio = left / right
    peak = np.abs(values).mean() ** 2 / np.square(values).mean()
    wanted = peak * (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1) ** 2
    return Spread(float(_SHAPES[np.argmin(np.abs(_SHAPE_RATIOS - wanted))]), left, right)


def _blurred(image: np.ndarray) -> np.ndarray:
    rows = ndimage.correlate1d(image.astype(np.float32), _WINDOW, 0, mode="constant")
    return np.asarray(ndimage.correlate1d(rows, _WINDOW, 1, mode="constant"))


def _root_mean_square(values: np.ndarray) -> float:
    return float(np.sqrt(np.square(values, dtype=np.float64).mean())) if values.size else 0.0
