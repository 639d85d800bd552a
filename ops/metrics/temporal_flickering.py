"""Temporal flickering of VBench (Huang et al. 2024): the one dimension that needs no weights."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ops.metrics.base import Measure, Needs, Value, VideoMetric

if TYPE_CHECKING:
    from ops.weights.surroundings import Surroundings


class TemporalFlickering(VideoMetric):
    name, version = "temporal_flickering", "1"
    higher_is_better = True
    fooled_by = "a frozen video"
    needs = Needs(frames=2)

    def start(self, project: Surroundings) -> Measure:
        return lambda video: Value(temporal_flickering(video.frames))


def temporal_flickering(video: NDArray[np.uint8]) -> float:
    """(255 − mean over adjacent frames of their mean absolute difference) / 255, in [0, 1], higher is steadier.

    Takes [T, H, W, 3] as uint8, in either order of colours, of at least two frames.
    """
    if video.dtype != np.uint8 or video.ndim != 4:
        raise ValueError(f"a decoded video is [T, H, W, 3] in uint8, not {list(video.shape)} in {video.dtype}")
    if len(video) < 2:
        raise ValueError(f"flickering is a difference between frames, but the video has {len(video)}")
    frames = video.astype(np.float32)
    differences = [float(np.abs(a - b).mean(dtype=np.float64)) for a, b in pairwise(frames)]
    return (255.0 - sum(differences) / len(differences)) / 255.0
