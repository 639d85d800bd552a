"""Background consistency of VBench (Huang et al. 2024): how alike frames are to CLIP ViT-B/32."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ops.metrics.base import NOT_PROVEN, Measure, Needs, Value, Video
from ops.metrics.pooled import PooledMetric

if TYPE_CHECKING:
    from ops.weights.surroundings import Surroundings


class BackgroundConsistency(PooledMetric):
    name, version = "background_consistency", "1"
    higher_is_better = True
    fooled_by = "a frozen video"
    needs = Needs(frames=2, weights=("clip-b32",))
    proof = f"{NOT_PROVEN}; transformers' CLIP under OpenAI's names"

    def start(self, project: Surroundings) -> Measure:
        from models.metrics.clip import load_vit_b_32
        from ops.metrics.networks.clip import PictureFeatures
        from ops.metrics.networks.consistency import consistency
        from ops.weights.checkpoints import network

        features = PictureFeatures(network(project, "clip-b32", load_vit_b_32, scripted=True))

        def measure(video: Video) -> Value:
            return consistency(video.once(features))

        return measure
