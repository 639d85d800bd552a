"""What the VAE sees of a clip in one step: a short window of it, perhaps mirrored."""

from __future__ import annotations

import torch
from torch import Tensor

from ops.config import VaeViews
from ops.training.method import Draw
from ops.training.randomness import generator

TIME, HEIGHT, WIDTH = 0, 1, 2


def views(clips: Tensor, settings: VaeViews, draw: Draw) -> Tensor:
    """A view of each clip of [B, T, H, W, 3]; T becomes `settings.frames` where the clips are longer.

    A view depends on the seed, the step and the clip's place in the global batch, so it is the same after a resume
    and for any number of ranks.
    """
    return torch.stack([_view(clip, settings, draw, draw.first_position + i) for i, clip in enumerate(clips)])


def _view(clip: Tensor, settings: VaeViews, draw: Draw, position: int) -> Tensor:
    numbers = torch.rand(4, generator=generator(draw.seed, "view", draw.step, position)).tolist()
    spare = clip.shape[TIME] - settings.frames
    if spare > 0:
        start = int(numbers[3] * (spare + 1))
        clip = clip[start : start + settings.frames]
    if settings.flips:
        clip = clip.flip([axis for axis in (TIME, HEIGHT, WIDTH) if numbers[axis] < 0.5])
    return clip
