"""What scorers of text have in common: a few frames a second, and boxes in pixels of the whole frame."""

from __future__ import annotations

from dataclasses import dataclass

from ops.config import Sampling
from ops.curation.clip import Box, Clip, sampled_frames
from ops.curation.scorers.base import Measure, Pictures, Scorer


@dataclass(frozen=True)
class TextScorer(Scorer):
    """Its value: for each picture, the boxes of the text in it."""

    frames_per_second: float

    def wants(self, clip: Clip, sampling: Sampling) -> list[int]:
        rate = sampling.frames_per_second
        return sampled_frames(clip, rate)[:: max(1, round(rate / self.frames_per_second))]

    def score(self, measure: Measure, pictures: Pictures, of: str) -> list[list[Box]]:
        boxes: list[list[Box]] = measure(pictures)
        return boxes
