"""Videos of any length, seen in windows that overlap: only the middle of each has neighbours on both sides."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from models.transnetv2.network import Probabilities, TransNetV2

WINDOW, STEP = 100, 50
BEFORE = (WINDOW - STEP) // 2
"""Frames of a window ahead of those that count."""


def probabilities(network: TransNetV2, frames_THWC: Tensor) -> Probabilities:
    """Of each of the RGB frames, uint8 [T, 27, 48, 3]: float32 [T], one window of 100 frames after the other. The first
    and the last frame stand for what there is not before and after them."""
    found = [network(window[None]) for window in windows(frames_THWC)]
    count, middle = len(frames_THWC), slice(BEFORE, BEFORE + STEP)
    return Probabilities(
        *(torch.cat([each[0, middle] for each in series])[:count].float() for series in zip(*found, strict=True))
    )


def windows(frames: Tensor) -> Iterator[Tensor]:
    """The middles of [100, …] windows, laid end to end, are the frames [T, …] and copies of the last one."""
    for start in range(-BEFORE, len(frames) - BEFORE, STEP):
        places = torch.arange(start, start + WINDOW).clamp(0, len(frames) - 1)
        yield frames[places.to(frames.device)]
