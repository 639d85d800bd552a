"""Object class of VBench (Huang et al. 2024): whether GRiT finds the object in the frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ops.metrics.base import PARITY, Measure, Needs, Value, Video
from ops.metrics.networks.detections import WEIGHTS, Found, detections
from ops.metrics.pooled import PooledMetric

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ops.weights.surroundings import Surroundings


class ObjectClass(PooledMetric):
    """The share of 16 frames in which an object of that name is found."""

    name, version = "object_class", "1"
    higher_is_better = True
    fooled_by = "the object alone, whatever else was asked for"
    needs = Needs(prompt=True, asked="object_class", weights=WEIGHTS)
    proof = PARITY

    def start(self, project: Surroundings) -> Measure:
        reader = detections(project)

        def measure(video: Video) -> Value:
            return share_with(video.once(reader), {video.asked["object_class"]["object"]})

        return measure


def share_with(frames: Iterable[list[Found]], names: set[str]) -> Value:
    """Of frames in which all of `names` are found."""
    found = [names <= {each.name for each in frame} for frame in frames]
    return Value(sum(found) / len(found), {"total": float(sum(found)), "parts": len(found)})
