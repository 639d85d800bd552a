"""Colourfulness of natural images: Hasler and Süsstrunk 2003, the measure M of their equation for sRGB values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ops.config import Sampling
from ops.curation.clip import Clip, sampled_frames, spread
from ops.curation.scorers.base import Measure, Scorer
from ops.runtime.project import Project

SHORT_SIDE = 256
"""Averages over a whole picture need no more."""


@dataclass(frozen=True)
class Colourfulness(Scorer):
    """Stands in where LAION's weights are missing: grey, washed-out clips score low."""

    frames: int

    name = "colourfulness"
    version = 2

    def wants(self, clip: Clip, sampling: Sampling) -> list[int]:
        return spread(sampled_frames(clip, sampling.frames_per_second), self.frames)

    def side(self, clip: Clip, sampling: Sampling) -> int:
        return SHORT_SIDE

    def start(self, project: Project) -> Measure:
        return mean_colourfulness


def colourfulness(picture: np.ndarray) -> float:
    """M of one uint8 RGB picture [H, W, 3]: 0 is grey, about 15 slightly, 45 quite, 80 highly colourful."""
    red, green, blue = (picture[..., channel].astype(np.int16) for channel in range(3))
    red_green, yellow_blue = red - green, red + green - 2 * blue
    first, second = _moments(red_green), _moments(yellow_blue)
    deviation = np.hypot(first[1], second[1] / 2)
    return float(deviation + 0.3 * np.hypot(first[0], second[0] / 2))


def _moments(values: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation, exact: sums of whole numbers."""
    flat = values.ravel().astype(np.float64)
    mean = float(flat.mean())
    return mean, math.sqrt(max(0.0, float(flat @ flat) / flat.size - mean * mean))


def mean_colourfulness(pictures: Sequence[np.ndarray]) -> float:
    """The mean of M over pictures."""
    return float(np.mean([colourfulness(picture) for picture in pictures]))
