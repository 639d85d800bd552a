"""Whether a generated video of the made world shows what its prompt says, read off it.

Mush has no colour here and a still thing no direction; the same videos judged by each other's prompts come out at
chance. A single word is kept by many a broken model, all of them together by none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ops.made_world.scenes import COLOURS, DIRECTIONS, SHAPES, of_caption
from ops.metrics.base import Measure, Needs, Value, Video, VideoMetric

if TYPE_CHECKING:
    from ops.weights.surroundings import Surroundings

WORDS = ("presence", "count", "colour", "shape", "direction")
ALL = "all"
"""Every one of them in the same video."""
MEASURES = (*WORDS, ALL)
CHANCE = {"colour": 1 / len(COLOURS), "shape": 1 / len(SHAPES), "direction": 1 / len(DIRECTIONS)}
"""What a model reaches that never reads its prompt, at best."""


class Truth(VideoMetric):
    """The share of videos that keep one word of their prompt, or all; `measure` is one of MEASURES."""

    needs = Needs(prompt=True)
    higher_is_better = True
    protocol, reader = "made-world/v1", "detector"

    def __init__(self, measure: str) -> None:
        self.measure, self.name = measure, f"truth_{measure}"
        self.chance = CHANCE.get(measure)
        self.fooled_by = None if measure == ALL else "a video that keeps this word and no other"

    @property
    def version(self) -> str:
        from ops.made_world import detector

        return f"{detector.VERSION}"

    def unfit(self, video: Video) -> str | None:
        told = video.prompt is not None and of_caption(video.prompt) is not None
        return super().unfit(video) or (None if told else "its prompt is no sentence of the made world")

    def start(self, project: Surroundings) -> Measure:
        from ops.made_world.detector import agrees, read

        def measure(video: Video) -> Value:
            wanted = of_caption(video.prompt or "")
            assert wanted is not None  # else it is unfit
            kept = agrees(video.once(read), wanted)
            return Value(float(all(kept.values()) if self.measure == ALL else kept[self.measure]))

        return measure
