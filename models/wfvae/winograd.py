"""A convolution with three taps in time by two thirds of its products: Winograd's F(2, 3) (arXiv 1509.09308).

Of four neighbouring frames d₀…d₃ and taps g₀, g₁, g₂, two output frames are

    y₀ = m₁ + m₂ + m₀        m₁ = (d₁ + d₂) ∗ (g₀ + g₁ + g₂)/2        m₀ = (d₀ − d₂) ∗ g₀
    y₁ = m₁ − m₂ − m₃        m₂ = (d₂ − d₁) ∗ (g₀ − g₁ + g₂)/2        m₃ = (d₁ − d₃) ∗ g₂

with ∗ the 2D convolution of a frame: four of them in the place of six. Rounding errors stay what they are.

B: batch · C: channels · T: frames
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

PLACES = 8192
"""Frames times height times width at work at once: enough for the cores, and little enough to need no memory."""
LEAST_PLACES = 2048
"""Below, making the kernels costs more than it saves."""


def pays(x: Tensor) -> bool:
    """Whether a 3×3×3 convolution with stride 1 of `x` [B, C, T, H, W] is faster this way.

    It is on a CPU, whose library convolves directly. Gradients would need all the sums kept.
    """
    big = x.shape[2] > 1 and x.shape[0] * x.shape[2] * x.shape[3] * x.shape[4] >= LEAST_PLACES
    return big and x.device.type == "cpu" and x.dtype == torch.float32 and not torch.is_grad_enabled()


def convolve(front: Tensor, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """The causal convolution of `x` [B, C, T, H, W] by `weight` [O, C, 3, 3, 3], with zeros around height and width.

    `front` [B, C, 2, H, W] are the two frames before `x`. Returns [B, O, T, H, W] in channels-last memory.
    """
    batch, _, frames, height, width = x.shape
    bias = weight.new_zeros(weight.shape[0]) if bias is None else bias
    out = bias.expand(batch, frames, height, width, -1).contiguous().permute(0, 4, 1, 2, 3)
    at_once = 2 * max(1, PLACES // (2 * batch * height * width))
    parts = [(start, min(start + at_once, frames - frames % 2)) for start in range(0, frames - 1, at_once)]

    def add(kernel: Tensor, seen: Callable[[int, int], Tensor], to_even: int, to_odd: int) -> None:
        for start, end in parts:
            product = _product(seen(start, end), kernel)
            for frame, sign in ((start, to_even), (start + 1, to_odd)):
                if sign:
                    out[:, :, frame:end:2].add_(product, alpha=sign)

    def d(which: int, start: int, end: int) -> Tensor:
        """Frame d₀, d₁, d₂ or d₃ of each pair of output frames from `start` to `end`."""
        if which >= 2 or start > 0:
            return x[:, :, start + which - 2 : end + which - 2 : 2][:, :, : (end - start) // 2]
        kept = front[:, :, which : which + 1]
        return torch.cat([kept, x[:, :, which : end - 2 : 2]], dim=2) if end > 2 else kept

    # One kernel after the other: the widest layers' are what fills memory where the video is small.
    first, second, third = weight.unbind(2)
    add((first + second).add_(third).div_(2), lambda *part: d(1, *part) + d(2, *part), to_even=1, to_odd=1)
    add((first - second).add_(third).div_(2), lambda *part: d(2, *part) - d(1, *part), to_even=1, to_odd=-1)
    add(first, lambda *part: d(0, *part) - d(2, *part), to_even=1, to_odd=0)
    add(third, lambda *part: d(1, *part) - d(3, *part), to_even=0, to_odd=-1)
    if frames % 2:  # the last has no neighbour to share with
        for back, tap in enumerate((third, second, first)):
            place = frames - 1 - back
            seen = x[:, :, place : place + 1] if place >= 0 else front[:, :, place:][:, :, :1]
            out[:, :, -1:] += _product(seen, tap)
    return out


def _product(x: Tensor, kernel: Tensor) -> Tensor:
    """Each frame of [B, C, T, H, W] convolved by [O, C, 3, 3]."""
    frames = x.transpose(1, 2)
    return F.conv2d(frames.flatten(0, 1), kernel, padding=1).unflatten(0, frames.shape[:2]).transpose(1, 2)
