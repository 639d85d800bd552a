"""Jump cuts and motion without weights: how much small pictures differ, in the place of LPIPS distances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ops.config import Sampling
from ops.curation.clip import Clip, sampled_frames
from ops.curation.scorers.base import Measure, Pictures, Scorer
from ops.runtime.project import Project

SIDE = 32


@dataclass(frozen=True)
class PictureChange(Scorer):
    """Far below what LPIPS gives for the same pictures, so that its limits in the recipe are others."""

    name = "picture-change"

    def wants(self, clip: Clip, sampling: Sampling) -> list[int]:
        return sampled_frames(clip, sampling.frames_per_second)

    def side(self, clip: Clip, sampling: Sampling) -> int:
        return SIDE

    def start(self, project: Project) -> Measure:
        return picture_changes

    def score(self, measure: Measure, pictures: Pictures, of: str) -> list[float]:
        changes: list[float] = measure(pictures)
        return changes


def picture_changes(pictures: Sequence[np.ndarray]) -> list[float]:
    """n + 1 uint8 pictures of one size → n mean absolute differences, as shares of the whole range: 0 to 1."""
    if len(pictures) < 2:
        return []
    whole = np.stack(pictures).astype(np.int16)
    changes: np.ndarray = np.abs(whole[1:] - whole[:-1]).mean(axis=(1, 2, 3)) / 255
    return [float(change) for change in changes.round(6)]
