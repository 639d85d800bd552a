"""Frames through CLIP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ops.metrics.base import Frames
from ops.metrics.networks.frames import AT_ONCE, as_tensor, for_clip, for_clip_as_pictures

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


@dataclass(frozen=True)
class ImageFeatures:
    """The same of frames that were made pictures before, as CLIP prepares pictures: their resizing is antialiased."""

    network: CLIPModel

    def __call__(self, frames: Frames) -> Tensor:
        import torch

        from models.metrics.clip import of_pictures

        with torch.inference_mode():
            shown = [for_clip_as_pictures(frame[None]) for frame in frames]
            parts = torch.cat(shown).to(self.network.device).split(AT_ONCE)
            return torch.cat([of_pictures(self.network, part) for part in parts])
