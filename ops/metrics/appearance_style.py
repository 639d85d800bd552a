"""Appearance style of VBench (Huang et al. 2024): how alike frames are to the name of a style, to CLIP ViT-B/32."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ops.metrics.base import NOT_PROVEN, Measure, Needs, Value, Video
from ops.metrics.pooled import PooledMetric

if TYPE_CHECKING:
    from ops.weights.surroundings import Surroundings

MERGES = "bpe_simple_vocab_16e6.txt.gz"


class AppearanceStyle(PooledMetric):
    """The mean cosine of frames with the text of the style."""

    name, version = "appearance_style", "1"
    higher_is_better = True
    fooled_by = "the style alone, whatever else was asked for"
    needs = Needs(prompt=True, asked="appearance_style", weights=("clip-b32", "clip-words", "vbench-suite"))
    proof = f"{NOT_PROVEN}; transformers' CLIP under OpenAI's names"

    def start(self, project: Surroundings) -> Measure:
        import torch
        from torch.nn import functional as F

        from models.metrics.clip import load_vit_b_32, of_texts
        from ops import weights
        from ops.metrics.networks.clip import ImageFeatures
        from ops.metrics.networks.clip_words import ClipWords
        from ops.weights.checkpoints import network

        clip = network(project, "clip-b32", load_vit_b_32, scripted=True)
        features, words = ImageFeatures(clip), ClipWords(weights.ensure(project, "clip-words") / MERGES)

        @torch.inference_mode()
        def measure(video: Video) -> Value:
            style = words.ids(video.asked["appearance_style"]["appearance_style"])
            text = F.normalize(of_texts(clip, torch.tensor([style], device=clip.device)), dim=-1)
            cosines = F.normalize(video.once(features), dim=-1) @ text[0]
            total = float(cosines.double().sum())
            return Value(total / len(cosines), {"total": total, "parts": len(cosines)})

        return measure
