"""The LAION improved aesthetic predictor v2: an affine map on normalised CLIP ViT-L/14 image embeddings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ops import weights
from ops.config import Sampling
from ops.curation.clip import Clip, sampled_frames, spread
from ops.curation.scorers.base import Measure, Pictures, Scorer, device_of
from ops.runtime.project import Project

if TYPE_CHECKING:
    import torch
    from torch import Tensor

HEAD_LAYERS = (0, 2, 4, 6, 7)
"""Linear layers of the published head, 768→1024→128→64→16→1; dropout lies between them, activations do not."""
MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
DEVIATION = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)
SIDE = 224


@dataclass(frozen=True)
class Laion(Scorer):
    frames: int

    name = "laion-v2"
    version = 2
    weights = ("clip-vit-l14", "laion-v2")
    memory_gib = 2.0
    accelerator = True
    clips_at_once = 16

    def wants(self, clip: Clip, sampling: Sampling) -> list[int]:
        return spread(sampled_frames(clip, sampling.frames_per_second), self.frames)

    def side(self, clip: Clip, sampling: Sampling) -> int:
        """Twice what the network sees, for its bicubic reduction to have something to do."""
        return 2 * SIDE

    def start(self, project: Project) -> Measure:
        return LaionAesthetics(
            weights.ensure(project, "clip-vit-l14"), weights.ensure(project, "laion-v2"), device_of(project)
        )

    def score(self, measure: Measure, pictures: Pictures, of: str) -> float:
        return self.scores(measure, [pictures], [of])[0]

    def scores(self, measure: Measure, clips: Sequence[Pictures], of: Sequence[str]) -> list[float]:
        return [round(score, 6) for score in measure(clips)]


class LaionAesthetics:
    """Scores of about 1 to 10. Everything runs in float32: the head is known to fail in half precision."""

    def __init__(self, clip: Path, head: Path, device: torch.device | None = None) -> None:
        import torch
        from transformers import CLIPVisionModelWithProjection

        self._clip = (
            CLIPVisionModelWithProjection.from_pretrained(
                clip, local_files_only=True, use_safetensors=True, dtype=torch.float32
            )
            .eval()
            .to(device or "cpu")
        )
        layers = torch.load(next(iter(head.glob("*.pth"))), map_location="cpu", weights_only=True)
        self._weight, self._bias = (part.to(self._clip.device) for part in collapsed(layers))

    def __call__(self, clips: Sequence[Pictures]) -> list[float]:
        """For each clip the mean score of its uint8 RGB pictures [H, W, 3], whatever their sizes."""
        import torch

        with torch.inference_mode():
            inputs = torch.stack([clip_input(picture) for pictures in clips for picture in pictures])
            embeddings = self._clip(pixel_values=inputs.to(self._clip.device)).image_embeds
            unit = torch.nn.functional.normalize(embeddings, dim=-1)
            scores = (unit @ self._weight + self._bias).split([len(pictures) for pictures in clips])
            return [float(each.mean()) for each in scores]


def collapsed(layers: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """The five linear layers as one map: (weight [768], bias [1])."""
    weight, bias = layers["layers.0.weight"].double(), layers["layers.0.bias"].double()
    for index in HEAD_LAYERS[1:]:
        step = layers[f"layers.{index}.weight"].double()
        weight, bias = step @ weight, step @ bias + layers[f"layers.{index}.bias"].double()
    return weight[0].float(), bias.float()


def clip_input(picture: np.ndarray) -> Tensor:
    """CLIP's preprocessing: bicubic to a short side of 224, centre crop, normalised; [3, 224, 224]."""
    import torch
    from PIL import Image

    image = Image.fromarray(picture)
    scale = SIDE / min(image.size)
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)
    left, top = (image.width - SIDE) // 2, (image.height - SIDE) // 2
    pixels = np.asarray(image.crop((left, top, left + SIDE, top + SIDE)), dtype=np.float32) / 255
    return torch.from_numpy((pixels - MEAN) / DEVIATION).permute(2, 0, 1).contiguous()
