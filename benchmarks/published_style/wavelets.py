"""The Haar transforms of a WF-VAE, one convolution for each sub-band.

Their filters are constants that released state dicts hold, under the names of the layers here.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

AMPLITUDE_3D, AMPLITUDE_2D = 0.3536, 0.5
# The axes along which a sub-band is a difference.
BANDS_3D = {"h": "", "g": "w", "hh": "h", "gh": "hw", "h_v": "t", "g_v": "tw", "hh_v": "th", "gh_v": "thw"}
BANDS_2D = {"aa": "", "ad": "h", "da": "w", "dd": "hw"}


def haar_filter(axes: str, details: str, amplitude: float) -> Tensor:
    """[1, 1, 2, …]: `amplitude`, negative at the second place of each axis in `details`."""
    kernel = torch.full([1, 1] + [2] * len(axes), amplitude)
    for dim, axis in enumerate(axes, start=2):
        if axis in details:
            kernel.select(dim, 1).neg_()
    return kernel


class CausalConv3d(nn.Module):
    """Copies of frame 0 in front, then a convolution without temporal padding."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, stride: int = 1, padding: int = 0, bias: bool = True
    ) -> None:
        super().__init__()
        self.repeats = kernel - 1
        self.conv = nn.Conv3d(in_channels, out_channels, kernel, stride, (0, padding, padding), bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.cat([x[:, :, :1].repeat(1, 1, self.repeats, 1, 1), x], dim=2)
        return self.conv(x)


class HaarWaveletTransform3D(nn.Module):
    """[B, C, 2m+1, 2h, 2w] → [B, 8·C, m+1, h, w], sub-band major."""

    def __init__(self) -> None:
        super().__init__()
        for name, details in BANDS_3D.items():
            conv = CausalConv3d(1, 1, 2, stride=2, bias=False)
            conv.conv.weight = nn.Parameter(haar_filter("thw", details, AMPLITUDE_3D), requires_grad=False)
            self.add_module(f"{name}_conv", conv)

    def forward(self, x: Tensor) -> Tensor:
        batch, channels = x.shape[:2]
        x = x.reshape(batch * channels, 1, *x.shape[2:])
        bands = [self.get_submodule(f"{name}_conv")(x) for name in BANDS_3D]
        return torch.cat([band.reshape(batch, channels, *band.shape[2:]) for band in bands], dim=1)


class HaarWaveletTransform2D(nn.Module):
    """[B, C, T, 2h, 2w] → [B, 4·C, T, h, w], sub-band major."""

    def __init__(self) -> None:
        super().__init__()
        for name, details in BANDS_2D.items():
            self.register_buffer(name, haar_filter("hw", details, AMPLITUDE_2D))

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, frames, height, width = x.shape
        x = x.reshape(batch * channels * frames, 1, height, width)
        bands = [F.conv2d(x, self.get_buffer(name), stride=2) for name in BANDS_2D]
        return torch.cat([b.reshape(batch, channels, frames, height // 2, width // 2) for b in bands], dim=1)


class InverseHaarWaveletTransform3D(nn.Module):
    """[B, 8·C, m+1, h, w] → [B, C, 2m+1, 2h, 2w]; the first frame, that of the repeated one, is dropped."""

    def __init__(self) -> None:
        super().__init__()
        for name, details in BANDS_3D.items():
            self.register_buffer(name, haar_filter("thw", details, AMPLITUDE_3D))

    def forward(self, coefficients: Tensor) -> Tensor:
        batch, channels = coefficients.shape[0], coefficients.shape[1] // len(BANDS_3D)
        total = None
        for name, band in zip(BANDS_3D, coefficients.chunk(len(BANDS_3D), dim=1), strict=True):
            band = band.reshape(batch * channels, 1, *band.shape[2:])
            part = F.conv_transpose3d(band, self.get_buffer(name), stride=2)
            total = part if total is None else total + part
        assert total is not None
        return total[:, :, 1:].reshape(batch, channels, -1, *total.shape[3:])


class InverseHaarWaveletTransform2D(nn.Module):
    """[B, 4·C, T, h, w] → [B, C, T, 2h, 2w]."""

    def __init__(self) -> None:
        super().__init__()
        for name, details in BANDS_2D.items():
            self.register_buffer(name, haar_filter("hw", details, AMPLITUDE_2D))

    def forward(self, coefficients: Tensor) -> Tensor:
        batch, channels, frames = coefficients.shape[0], coefficients.shape[1] // len(BANDS_2D), coefficients.shape[2]
        total = None
        for name, band in zip(BANDS_2D, coefficients.chunk(len(BANDS_2D), dim=1), strict=True):
            band = band.reshape(batch * channels * frames, 1, *band.shape[3:])
            part = F.conv_transpose2d(band, self.get_buffer(name), stride=2)
            total = part if total is None else total + part
        assert total is not None
        return total.reshape(batch, channels, frames, *total.shape[2:])
