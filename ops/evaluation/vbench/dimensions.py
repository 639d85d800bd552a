"""VBench's sixteen dimensions: how each is normalised and how much it weighs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Dimension:
    """How a score is normalised, and what it weighs in the total."""

    name: str
    group: Literal["quality", "semantic"]
    minimum: float = 0.0
    maximum: float = 1.0
    weight: float = 1.0

    def normalised(self, raw: float) -> float:
        """(raw − minimum) / (maximum − minimum); not clipped, as in the official scoring."""
        return (raw - self.minimum) / (self.maximum - self.minimum)


DIMENSIONS: tuple[Dimension, ...] = (
    Dimension("subject_consistency", "quality", minimum=0.1462),
    Dimension("background_consistency", "quality", minimum=0.2615),
    Dimension("temporal_flickering", "quality", minimum=0.6293),
    Dimension("motion_smoothness", "quality", minimum=0.7060, maximum=0.9975),
    Dimension("dynamic_degree", "quality", weight=0.5),
    Dimension("aesthetic_quality", "quality"),
    Dimension("imaging_quality", "quality"),
    Dimension("object_class", "semantic"),
    Dimension("multiple_objects", "semantic"),
    Dimension("human_action", "semantic"),
    Dimension("color", "semantic"),
    Dimension("spatial_relationship", "semantic"),
    Dimension("scene", "semantic", maximum=0.8222),
    Dimension("appearance_style", "semantic", minimum=0.0009, maximum=0.2855),
    Dimension("temporal_style", "semantic", maximum=0.364),
    Dimension("overall_consistency", "semantic", maximum=0.364),
)
