"""Colourfulness of natural images: Hasler and Süsstrunk 2003, the measure M of their equation for sRGB values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ops.config import Sampling
from ops.curation.clip import Clip, sampled_frames, spread
from ops.curation.scorers.base import Measure, Scorer
from ops.runtime.project import Project


@dataclass(frozen=True)
class Colourfulness(Scorer):
    """Stands in where LAION's weights are missing: grey, washed-out clips score low."""

    frames: int

    name = "colourfulness"
    columns = ("aesthetic",)

    def wants(self, clip: Clip, sampling: Sampling) -> list[int]:
        return spread(sampled_frames(clip, sampling.frames_per_second), self.frames)

    def start(self, project: Project) -> Measure:
        return mean_colourfulness


def colourfulness(picture: np.ndarray) -> float:
    """M of one uint8 RGB picture [H, W, 3]: 0 is grey, about 15 slightly, 45 quite, 80 highly colourful."""
    red, green, blue = (picture[..., channel].astype(np.float64) for channel in range(3))
    red_green, yellow_blue = red - green, (red + green) / 2 - blue
    deviation = np.hypot(red_green.std(), yellow_blue.std())
    return float(deviation + 0.3 * np.hypot(red_green.mean(), yellow_blue.mean()))


def mean_colourfulness(pictures: Sequence[np.ndarray]) -> float:
    """The mean of M over pictures."""
    return float(np.mean([colourfulness(picture) for picture in pictures]))
