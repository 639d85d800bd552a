"""Convolutions over video [B, C, T, H, W] that never look ahead in time."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models import ascend
from models.wfvae import winograd
from models.wfvae.cache import CausalCache


def causal_front(layer: nn.Module, x: Tensor, kernel: int, cache: CausalCache | None) -> Tensor:
    """The frames in front of `x` that a temporal kernel needs: copies of frame 0, or what the cache kept."""
    front = None if cache is None else cache.recall(layer)
    return x[:, :, :1].expand(-1, -1, kernel - 1, -1, -1) if front is None else front


def causal_input(layer: nn.Module, x: Tensor, kernel: int, stride: int, cache: CausalCache | None) -> Tensor:
    """`x` with the frames in front. With a cache, those that the next chunk needs again are kept under `layer`."""
    x = torch.cat([causal_front(layer, x, kernel, cache), x], dim=2)
    if cache is not None:
        outputs = (x.shape[2] - kernel) // stride + 1
        cache.keep(layer, x[:, :, outputs * stride :])
    return x


class Conv3d(nn.Conv3d):
    """A 3D convolution, on Ascend in half precision."""

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return ascend.in_half(super()._conv_forward, input, weight, bias)


class CausalConv3d(Conv3d):
    """A 3D convolution whose output at frame t sees frames up to t: frame 0 is repeated in front, zeros pad space."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, (0, padding, padding))
        self._by_winograd = (kernel_size, stride, padding) == (3, 1, 1)

    def forward(self, x: Tensor, cache: CausalCache | None = None) -> Tensor:
        if cache is None and x.shape[2] == 1:
            return self._of_image(x)
        if self._by_winograd and winograd.pays(x):
            convolved = winograd.convolve(causal_front(self, x, 3, cache), x, self.weight, self.bias)
            if cache is not None:
                cache.keep(self, x[:, :, -2:])
            return convolved
        return super().forward(causal_input(self, x, self.kernel_size[0], self.stride[0], cache))

    def _of_image(self, x: Tensor) -> Tensor:
        """All taps of a lone frame see that frame, so their sum is one 2D kernel."""
        kernel = self.weight.sum(dim=2)
        return ascend.in_half(self._convolved_frame, x.squeeze(2), kernel, self.bias).unsqueeze(2)

    def _convolved_frame(self, x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
        return F.conv2d(x, kernel, bias, self.stride[1:], self.padding[1:])


class FrameConv2d(nn.Conv2d):
    """A 2D convolution applied to each frame of a video [B, C, T, H, W]; one with a stride is, on Ascend, in half
    precision."""

    def forward(self, x: Tensor) -> Tensor:
        return unfold_frames(super().forward(fold_frames(x)), x.shape[0])

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if self.stride == (1, 1):
            return super()._conv_forward(input, weight, bias)
        return ascend.in_half(super()._conv_forward, input, weight, bias)


class PointwiseConv3d(Conv3d):
    """A 1×1×1 convolution, the channel mix of a single place."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, 1)


def fold_frames(x: Tensor) -> Tensor:
    """[B, C, T, H, W] → [B·T, C, H, W]; a view when the memory format is channels-last."""
    return x.transpose(1, 2).flatten(0, 1)


def unfold_frames(x: Tensor, batch: int) -> Tensor:
    """[B·T, C, H, W] → [B, C, T, H, W], always a view."""
    return x.unflatten(0, (batch, -1)).transpose(1, 2)
