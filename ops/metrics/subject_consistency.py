"""Subject consistency of VBench (Huang et al. 2024): how alike frames are to DINO."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ops.metrics.base import NOT_PROVEN, Measure, Needs, Value, Video
from ops.metrics.pooled import PooledMetric

if TYPE_CHECKING:
    from ops.weights.surroundings import Surroundings


class SubjectConsistency(PooledMetric):
    name, version = "subject_consistency", "1"
    higher_is_better = True
    fooled_by = "a frozen video"
    needs = Needs(frames=2, weights=("dino",))
    proof = f"{NOT_PROVEN}; equal to transformers' ViT at 224 pixels a side"

    def start(self, project: Surroundings) -> Measure:
        import torch

        from models.metrics.dino import load_dino
        from ops.metrics.networks.consistency import consistency
        from ops.metrics.networks.frames import AT_ONCE, as_tensor, for_dino
        from ops.weights.checkpoints import network

        dino = network(project, "dino", load_dino)

        @torch.inference_mode()
        def measure(video: Video) -> Value:
            frames = as_tensor(video.frames, dino.cls_token.device)
            return consistency(torch.cat([dino(for_dino(part)) for part in frames.split(AT_ONCE)]))

        return measure
