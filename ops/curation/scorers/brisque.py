"""BRISQUE (Mittal, Moorthy and Bovik 2012): what people would say about a picture's damage, from its statistics.

The regression is the one trained on the LIVE database: about 0 for a clean photograph, 100 for one ruined by blur,
noise or compression; values a little outside that range occur.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ops import weights
from ops.config import Sampling
from ops.curation.clip import Clip, sampled_frames, spread
from ops.curation.scorers.base import Measure, Scorer
from ops.curation.scorers.natural_statistics import NEIGHBOURS, halved, luma, normalised, spread_of
from ops.runtime.project import Project

SMALLEST_SIDE = 32


@dataclass(frozen=True)
class BrisqueScorer(Scorer):
    frames: int

    name = "brisque"
    weights = ("brisque",)

    def wants(self, clip: Clip, sampling: Sampling) -> list[int]:
        return spread(sampled_frames(clip, sampling.frames_per_second), self.frames)

    def start(self, project: Project) -> Measure:
        return Brisque(weights.ensure(project, "brisque") / "brisque.safetensors")


class TooSmall(ValueError):
    """A picture too small to have statistics."""


class Brisque:
    """The support vector regression in `model` (safetensors, see `ops/weights/brisque_archive.py`)."""

    def __init__(self, model: Path) -> None:
        from safetensors.numpy import load_file

        self._model = load_file(model)

    def __call__(self, pictures: Sequence[np.ndarray]) -> float:
        """The mean score of uint8 RGB pictures [H, W, 3]; lower is better."""
        return float(np.mean([self.score(picture) for picture in pictures]))

    def score(self, picture: np.ndarray) -> float:
        model = self._model
        scaled = 2 * (features(luma(picture)) - model["minimum"]) / (model["maximum"] - model["minimum"]) - 1
        distances = np.square(model["support_vectors"] - scaled).sum(axis=1)
        return float(model["coefficients"] @ np.exp(-model["gamma"][0] * distances) + model["offset"][0])


def features(grey: np.ndarray) -> np.ndarray:
    """36 numbers: at full and half scale, shape and variance of the coefficients, then shape, mean, left and right
    variance of the product of neighbours in four directions.

    Raises:
        TooSmall: a side is shorter than 32 pixels.
    """
    if min(grey.shape) < SMALLEST_SIDE:
        raise TooSmall(f"{grey.shape[1]}x{grey.shape[0]} is too small for BRISQUE, which needs {SMALLEST_SIDE} a side")
    return np.array([*_at_one_scale(grey), *_at_one_scale(halved(grey))])


def _at_one_scale(grey: np.ndarray) -> list[float]:
    coefficients = normalised(grey)
    whole = spread_of(coefficients)
    numbers = [whole.shape, (whole.left**2 + whole.right**2) / 2]
    for down, right in NEIGHBOURS:
        near = spread_of(coefficients * np.roll(coefficients, (down, right), (0, 1)))
        numbers += [near.shape, near.mean, near.left**2, near.right**2]
    return numbers
