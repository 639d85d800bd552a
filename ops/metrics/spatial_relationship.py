"""Spatial relationship of VBench (Huang et al. 2024): whether GRiT finds the two objects beside or above each other."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from ops.metrics.base import PARITY, Measure, Needs, Value, Video
from ops.metrics.networks.detections import WEIGHTS, Found, detections
from ops.metrics.pooled import PooledMetric

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ops.weights.surroundings import Surroundings

Box = tuple[int, int, int, int]
BESIDE, ABOVE = ("on the left of", "on the right of"), ("on the top of", "on the bottom of")
FREE = 0.1
"""An overlap below this costs nothing."""


class SpatialRelationship(PooledMetric):
    """The mean over 16 frames of their best pair of boxes."""

    name, version = "spatial_relationship", "1"
    higher_is_better = True
    fooled_by = "two of one object beside each other"
    needs = Needs(prompt=True, asked="spatial_relationship", weights=WEIGHTS)
    proof = PARITY
    quirks = (
        "left is as good as right, and top as bottom",
        "any two boxes of either name are a pair, two of the same object as well",
    )

    def start(self, project: Surroundings) -> Measure:
        reader = detections(project)

        def measure(video: Video) -> Value:
            asked = video.asked["spatial_relationship"]
            names = {asked["object_a"], asked["object_b"]}
            scores = [frame_score(frame, names, asked["relationship"]) for frame in video.once(reader)]
            return Value(sum(scores) / len(scores), {"total": sum(scores), "parts": len(scores)})

        return measure


def frame_score(found: Sequence[Found], names: set[str], relationship: str) -> float:
    """The best pair's, 0 without one. Boxes are cut to whole pixels."""
    boxes = [_whole(*each.box) for each in found if each.name in names]
    return max((_pair_score(a, b, relationship) for a, b in combinations(boxes, 2)), default=0.0)


def _whole(left: float, top: float, right: float, bottom: float) -> Box:
    return int(left), int(top), int(right), int(bottom)


def _pair_score(a: Box, b: Box, relationship: str) -> float:
    across, down = (abs((a[axis] + a[axis + 2]) - (b[axis] + b[axis + 2])) for axis in (0, 1))
    if any(relationship in known for known in BESIDE):
        fits = across > down
    else:
        fits = down > across and any(relationship in known for known in ABOVE)
    overlap = _overlap(a, b)
    return 0.0 if not fits else 1.0 if overlap < FREE else FREE / overlap


def _overlap(a: Box, b: Box) -> float:
    """Intersection over union; 0 for two boxes without any pixel, for which the published code fails."""
    sides = [max(0, min(a[axis + 2], b[axis + 2]) - max(a[axis], b[axis])) for axis in (0, 1)]
    both = sides[0] * sides[1]
    either = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)) - both
    return both / either if either else 0.0
