"""Haar wavelet transforms of video [B, C, T, H, W], each as a single matrix product.

Sub-bands are stacked on the channel axis, sub-band major: channel k·C + c is sub-band k of channel c, and sub-band 0 is
the low-pass one. A detail is the first element minus the second.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from models import ascend
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


class _Haar(nn.Module):
    """The filters as a matrix [bands, places of a block]; each block of 2×2×2 or 1×2×2 values is multiplied by it.

    The product is in the type of the video: an engine that keeps weights in bf16 leaves constants as they are.
    """

    matrix: Tensor

    def __init__(self, axes: Axes) -> None:
        super().__init__()
        self.axes = axes
        self.step = 2 if axes == "thw" else 1
        bank = filters(axes).flatten(1)
        # No state dict holds this constant, so it is real even in a model that is built on the meta device.
        device = torch.get_default_device()
        self.register_buffer("matrix", bank if device.type == "meta" else bank.to(device), persistent=False)

    @staticmethod
    def _product(matrix: Tensor, x: Tensor) -> Tensor:
        return ascend.in_half(lambda x: matrix.to(x.dtype) @ x, x)


class HaarAnalysis(_Haar):
    """Video to wavelet coefficients, causal in time: [B, C, 2m+1, 2h, 2w] → [B, 8·C, m+1, h, w] over "thw"
    (frame 0 is repeated in front), [B, C, T, 2h, 2w] → [B, 4·C, T, h, w] over "hw"."""

    def forward(self, x: Tensor, cache: CausalCache | None = None) -> Tensor:
        if self.axes == "thw":
            x = causal_input(self, x, kernel=2, stride=2, cache=cache)
        batch, _, frames, height, width = x.shape
        size = (frames // self.step, height // 2, width // 2)
        blocks = x.unflatten(4, (-1, 2)).unflatten(3, (-1, 2)).unflatten(2, (-1, self.step))
        columns = blocks.permute(0, 3, 5, 7, 1, 2, 4, 6).reshape(batch, self.matrix.shape[1], -1)
        return self._product(self.matrix, columns).reshape(batch, -1, *size)


class HaarSynthesis(_Haar):
    """The way back: [B, 8·C, m+1, h, w] → [B, C, 2m+1, 2h, 2w] over "thw" (the first frame is the repeated one and is
    dropped), [B, 4·C, T, h, w] → [B, C, T, 2h, 2w] over "hw"."""

    def forward(self, coefficients: Tensor, cache: CausalCache | None = None) -> Tensor:
        bands = self.matrix.shape[0]
        batch, channels, *size = coefficients.shape
        blocks = self._product(self.matrix.T, coefficients.reshape(batch, bands, -1))
        blocks = blocks.view(batch, self.step, 2, 2, channels // bands, *size)
        x = blocks.permute(0, 4, 5, 1, 6, 2, 7, 3).flatten(6, 7).flatten(4, 5).flatten(2, 3)
        starts = cache is None or cache.first
        return x[:, :, 1:] if self.axes == "thw" and starts else x
