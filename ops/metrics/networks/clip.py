"""Frames through CLIP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ops.metrics.base import Frames
from ops.metrics.networks.frames import AT_ONCE, as_tensor, for_clip

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import CLIPModel


@dataclass(frozen=True)
class PictureFeatures:
    """Of each frame [T, C], not of unit length. Those of the same network are one reader of a video."""

    network: CLIPModel

    def __call__(self, frames: Frames) -> Tensor:
        import torch

        from models.metrics.clip import of_pictures

        with torch.inference_mode():
            pictures = as_tensor(frames, self.network.device)
            return torch.cat([of_pictures(self.network, for_clip(part)) for part in pictures.split(AT_ONCE)])
