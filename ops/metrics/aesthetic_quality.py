"""Aesthetic quality of VBench (Huang et al. 2024): LAION's linear head, version 1, on CLIP ViT-L/14."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ops.metrics.base import NOT_PROVEN, Measure, Needs, Value, Video, VideoMetric

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

    from ops.weights.surroundings import Surroundings

HIGHEST = 10.0


class AestheticQuality(VideoMetric):
    name, version = "aesthetic_quality", "1"
    higher_is_better = True
    fooled_by = "one fine picture, whatever was asked for"
    needs = Needs(weights=("clip-l14", "laion-v1"))
    proof = f"{NOT_PROVEN}; transformers' CLIP under OpenAI's names"

    def start(self, project: Surroundings) -> Measure:
        import torch
        from torch.nn import functional as F

        from models.metrics.clip import load_vit_l_14
        from ops.metrics.networks.clip import PictureFeatures
        from ops.weights.checkpoints import network

        features = PictureFeatures(network(project, "clip-l14", load_vit_l_14, scripted=True))
        head = network(project, "laion-v1", load_head)

        @torch.inference_mode()
        def measure(video: Video) -> Value:
            scores = head(F.normalize(video.once(features), dim=-1)) / HIGHEST
            return Value(float(scores.double().mean()))

        return measure


def load_head(published: Mapping[str, object]) -> nn.Module:
    """768 → 1. Raises UnfitWeights for another state dict than that of `sa_0_4_vit_l_14_linear.pth`."""
    from torch import nn

    from models.published import load_published

    head = nn.Linear(768, 1)
    load_published(head, published, of="LAION's aesthetic head for ViT-L/14")
    return head.eval()
