"""VBench's sixteen dimensions: what each needs, how it is normalised and how much it weighs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Dimension:
    """One row of the vbench sheet: `needs` are entries of the weights registry (§4), the rest is §5."""

    name: str
    group: Literal["quality", "semantic"]
    needs: tuple[str, ...]
    minimum: float = 0.0
    maximum: float = 1.0
    weight: float = 1.0

    def normalised(self, raw: float) -> float:
        """(raw − minimum) / (maximum − minimum); not clipped, as in the official scoring."""
        return (raw - self.minimum) / (self.maximum - self.minimum)


DIMENSIONS: tuple[Dimension, ...] = (
    Dimension("subject_consistency", "quality", ("dino",), minimum=0.1462),
    Dimension("background_consistency", "quality", ("clip-b32",), minimum=0.2615),
    Dimension("temporal_flickering", "quality", (), minimum=0.6293),
    Dimension("motion_smoothness", "quality", ("amt",), minimum=0.7060, maximum=0.9975),
    Dimension("dynamic_degree", "quality", ("raft",), weight=0.5),
    Dimension("aesthetic_quality", "quality", ("clip-l14", "laion-v1")),
    Dimension("imaging_quality", "quality", ("musiq",)),
    Dimension("object_class", "semantic", ("grit",)),
    Dimension("multiple_objects", "semantic", ("grit",)),
    Dimension("human_action", "semantic", ("umt",)),
    Dimension("color", "semantic", ("grit",)),
    Dimension("spatial_relationship", "semantic", ("grit",)),
    Dimension("scene", "semantic", ("tag2text",), maximum=0.8222),
    Dimension("appearance_style", "semantic", ("clip-b32",), minimum=0.0009, maximum=0.2855),
    Dimension("temporal_style", "semantic", ("viclip",), maximum=0.364),
    Dimension("overall_consistency", "semantic", ("viclip",), maximum=0.364),
)
