"""Haar wavelet transforms of video [B, C, T, H, W], each as a single strided convolution.

Sub-bands are stacked on the channel axis, sub-band major: channel k·C + c is sub-band k of channel c, and sub-band 0 is
the low-pass one. A detail is the first element minus the second. `spec/wfvae` §1.1.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.wfvae.cache import CausalCache
from models.wfvae.convolutions import causal_input

Axes = Literal["thw", "hw"]

# The released 3D filters hold 0.3536, not 1/√8: analysis and synthesis together have gain 8 · 0.3536² = 1.00026368.
AMPLITUDE: dict[Axes, float] = {"thw": 0.3536, "hw": 0.5}
# The axis (t, h, w) of each bit of the sub-band number, lowest bit first.
BIT_AXES: dict[Axes, tuple[int, ...]] = {"thw": (2, 1, 0), "hw": (1, 2)}


def filters(axes: Axes) -> Tensor:
    """The filter of each sub-band, [8, 2, 2, 2] for "thw" and [4, 1, 2, 2] for "hw"."""
    bits = BIT_AXES[axes]
    size = [2 if axis in bits else 1 for axis in range(3)]
    bank = torch.full((2 ** len(bits), *size), AMPLITUDE[axes], device="cpu")
    for band in range(len(bank)):
        for bit, axis in enumerate(bits):
            if band >> bit & 1:
                bank[band].select(axis, 1).neg_()
    return bank


def _channel_filters(axes: Axes, channels: int) -> Tensor:
    """Convolution weights [bands·C, C, t, h, w] that apply each filter to each channel.

    They are constants that no state dict holds, so they are real even in a model that is built on the meta device.
    """
    device = torch.get_default_device()
    device = torch.device("cpu") if device.type == "meta" else device
    each = torch.einsum("kthw,cd->kcdthw", filters(axes).to(device), torch.eye(channels, device=device))
    return each.flatten(0, 1)


class HaarAnalysis(nn.Module):
    """Video to wavelet coefficients, causal in time: [B, C, 2m+1, 2h, 2w] → [B, 8·C, m+1, h, w] over "thw"
    (frame 0 is repeated in front), [B, C, T, 2h, 2w] → [B, 4·C, T, h, w] over "hw"."""

    weight: Tensor

    def __init__(self, axes: Axes, channels: int = 3) -> None:
        super().__init__()
        self.axes = axes
        self.register_buffer("weight", _channel_filters(axes, channels), persistent=False)

    def forward(self, x: Tensor, cache: CausalCache | None = None) -> Tensor:
        if self.axes == "thw":
            x = causal_input(self, x, kernel=2, stride=2, cache=cache)
        return F.conv3d(x, self.weight, stride=self.weight.shape[2:])


class HaarSynthesis(nn.Module):
    """The way back: [B, 8·C, m+1, h, w] → [B, C, 2m+1, 2h, 2w] over "thw" (the first frame is the repeated one and is
    dropped), [B, 4·C, T, h, w] → [B, C, T, 2h, 2w] over "hw"."""

    weight: Tensor

    def __init__(self, axes: Axes, channels: int = 3) -> None:
        super().__init__()
        self.axes = axes
        self.register_buffer("weight", _channel_filters(axes, channels), persistent=False)

    def forward(self, coefficients: Tensor, cache: CausalCache | None = None) -> Tensor:
        x = F.conv_transpose3d(coefficients, self.weight, stride=self.weight.shape[2:])
        starts = cache is None or cache.first
        return x[:, :, 1:] if self.axes == "thw" and starts else x
