"""What the VAE sees of a clip in one step: a short window of it, perhaps a part of the frame, perhaps mirrored."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ops.config import VaeViews
from ops.training.loop.randomness import generator
from ops.training.methods.method import Draw

TIME, HEIGHT, WIDTH = 0, 1, 2


def views(clips: Tensor, settings: VaeViews, draw: Draw) -> Tensor:
    """A view of each clip of uint8 [B, T, H · zoom, W · zoom, 3]: [B, T', H, W, 3].

    T' is `settings.frames` where the clips are longer. A view depends on the seed, the step and the clip's place in
    the global batch, so it is the same after a resume and for any number of ranks.
    """
    return torch.stack([_view(clip, settings, draw, draw.first_position + i) for i, clip in enumerate(clips)])


def _view(clip: Tensor, settings: VaeViews, draw: Draw, position: int) -> Tensor:
    flips, start, scale, top, left = _numbers(draw, position)
    spare = clip.shape[TIME] - settings.frames
    if spare > 0:
        first = int(start * (spare + 1))
        clip = clip[first : first + settings.frames]
    if settings.zoom > 1:
        clip = _window(clip, settings.zoom, scale, top, left)
    if settings.flips:
        clip = clip.flip([axis for axis in (TIME, HEIGHT, WIDTH) if flips[axis] < 0.5])
    return clip


def _numbers(draw: Draw, position: int) -> tuple[list[float], float, float, float, float]:
    numbers = torch.rand(7, generator=generator(draw.seed, "view", draw.step, position)).tolist()
    return numbers[:3], *numbers[3:]


def _window(clip: Tensor, zoom: int, scale: float, top: float, left: float) -> Tensor:
    """A window with sides of zoom^−scale of the frame's, placed by `top` and `left`, reduced to 1/zoom of its size."""
    height, width = clip.shape[HEIGHT] // zoom, clip.shape[WIDTH] // zoom
    share = zoom**-scale
    tall, wide = round(clip.shape[HEIGHT] * share), round(clip.shape[WIDTH] * share)
    y, x = int(top * (clip.shape[HEIGHT] - tall + 1)), int(left * (clip.shape[WIDTH] - wide + 1))
    planes = clip[:, y : y + tall, x : x + wide].permute(0, 3, 1, 2).float()
    reduced = interpolate(planes, (height, width), mode="bilinear", antialias=True)
    return reduced.round().clamp(0, 255).byte().permute(0, 2, 3, 1)
