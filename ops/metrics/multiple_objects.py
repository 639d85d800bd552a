"""Multiple objects of VBench (Huang et al. 2024): whether GRiT finds both objects in the frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ops.metrics.base import PARITY, Measure, Needs, Value, Video
from ops.metrics.networks.detections import WEIGHTS, detections
from ops.metrics.object_class import share_with
from ops.metrics.pooled import PooledMetric

if TYPE_CHECKING:
    from ops.weights.surroundings import Surroundings


class MultipleObjects(PooledMetric):
    """The share of 16 frames in which both are found, at the same time."""

    name, version = "multiple_objects", "1"
    higher_is_better = True
    fooled_by = "both objects, whatever else was asked for"
    needs = Needs(prompt=True, asked="multiple_objects", weights=WEIGHTS)
    proof = PARITY

    def start(self, project: Surroundings) -> Measure:
        reader = detections(project)

        def measure(video: Video) -> Value:
            return share_with(video.once(reader), both(video.asked["multiple_objects"]["object"]))

        return measure


def both(objects: str) -> set[str]:
    """'cat and dog' → its two names."""
    return set(objects.split(" and "))
