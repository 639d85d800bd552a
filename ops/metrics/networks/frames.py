"""Frames as VBench's networks are given them."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from ops.metrics.base import Frames

if TYPE_CHECKING:
    import torch
    from torch import Tensor

SIDE = 224
CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and deviation of red, green and blue, 0 to 1."""
AT_ONCE = 32
"""Frames that go through a network together."""


def middle_frames(count: int, wanted: int = 16) -> list[int]:
    """The middle of each of `wanted` equal parts of a video; the last frame stands for what a short one lacks."""
    parts = np.linspace(0, count, min(count, wanted) + 1).astype(int)
    middles = [int(start + end - 1) // 2 for start, end in pairwise(parts)]
    return middles + [middles[-1]] * (wanted - len(middles))


def as_tensor(frames: Frames, device: torch.device) -> Tensor:
    """[T, H, W, 3] → uint8 [T, 3, H, W]."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2).to(device)


def for_clip(frames: Tensor) -> Tensor:
    """uint8 [T, 3, H, W] → [T, 3, 224, 224]: the short side bicubic to 224 without antialiasing, the middle cut out.

    Resized values are 8 bits deep again.
    """
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms.functional import center_crop, resize

    small = resize(frames, [SIDE], InterpolationMode.BICUBIC, antialias=False)
    return normalised(center_crop(small, [SIDE]), CLIP)


def for_clip_as_pictures(frames: Frames) -> Tensor:
    """[T, H, W, 3] → [T, 3, 224, 224], by the resizing that Pillow has for pictures, on the CPU."""
    import torch
    from PIL import Image

    small = []
    for frame in frames:
        scale = SIDE / min(frame.shape[:2])
        height, width = (max(SIDE, int(side * scale)) for side in frame.shape[:2])
        resized = Image.fromarray(frame).resize((width, height), Image.Resampling.BICUBIC)
        top, left = round((height - SIDE) / 2), round((width - SIDE) / 2)
        small.append(np.asarray(resized)[top : top + SIDE, left : left + SIDE])
    return normalised(torch.from_numpy(np.stack(small)).permute(0, 3, 1, 2), CLIP)


def for_dino(frames: Tensor) -> Tensor:
    """uint8 [T, 3, H, W] → [T, 3, 224, W'] or [T, 3, H', 224]: the short side bilinear to 224 without antialiasing."""
    from torchvision.transforms.functional import resize

    return normalised(resize(frames, [SIDE], antialias=False), IMAGENET)


def normalised(frames: Tensor, by: tuple[tuple[float, ...], tuple[float, ...]]) -> Tensor:
    import torch

    mean, deviation = (torch.tensor(each, device=frames.device)[:, None, None] for each in by)
    return (frames.float() / 255 - mean) / deviation
