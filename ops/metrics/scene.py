"""Scene of VBench (Huang et al. 2024): whether Tag2Text's sentences about the frames name the scene."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ops.metrics.base import PARITY, Measure, Needs, Value, Video
from ops.metrics.networks.captions import WEIGHTS, captions
from ops.metrics.pooled import PooledMetric

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ops.weights.surroundings import Surroundings


class Scene(PooledMetric):
    """The share of 16 frames whose sentence has every word of the scene; `batched` as published, or each frame by its
    own sentence, under another name."""

    version = "1"
    higher_is_better = True
    fooled_by = "the place alone, whatever else was asked for"
    needs = Needs(prompt=True, asked="scene", weights=WEIGHTS)
    proof = f"{PARITY}; how the published decoder shrinks frames to 384 pixels is not known"

    def __init__(self, batched: bool = True) -> None:
        self.batched, self.name = batched, "scene" if batched else "scene_of_each_frame"
        repeated = "the sentence of frame i is that of frame i // 3, so that 6 of 16 frames are looked at"
        words = "words are looked for as parts of words"
        self.quirks = (repeated, words) if batched else (words,)

    def start(self, project: Surroundings) -> Measure:
        reader = captions(project, self.batched)

        def measure(video: Video) -> Value:
            return share_told(video.once(reader), video.asked["scene"]["scene"])

        return measure


def share_told(told: Sequence[str], scene: str) -> Value:
    success = sum(all(word in caption for word in scene.split(" ")) for caption in told)
    return Value(success / len(told), {"total": float(success), "parts": len(told)})
