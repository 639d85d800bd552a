"""A convolution with three taps in time by two thirds of its products: Winograd's F(2, 3) (arXiv 1509.09308).

Of four neighbouring frames d₀…d₃ and taps g₀, g₁, g₂, two output frames are

    y₀ = m₀ + m₁ + m₂        m₀ = (d₀ − d₂) ∗ g₀        m₁ = (d₁ + d₂) ∗ (g₀ + g₁ + g₂)/2
    y₁ = m₁ − m₂ − m₃        m₃ = (d₁ − d₃) ∗ g₂        m₂ = (d₂ − d₁) ∗ (g₀ − g₁ + g₂)/2

with ∗ the 2D convolution of a frame: four of them in the place of six. Rounding errors stay what they are.

B: batch · C: channels · T: frames
"""

from __future__ import annotations

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
    out = x.new_empty(batch, frames, height, width, weight.shape[0]).permute(0, 4, 1, 2, 3)
    kernels = _kernels(weight)
    at_once = 2 * max(1, PLACES // (2 * batch * height * width))
    for start in range(0, frames - 1, at_once):
        end = min(start + at_once, frames - frames % 2)
        _pairs(_between(front, x, start, end + 2), kernels, bias, out[:, :, start:end])
    if frames % 2:
        out[:, :, -1:] = F.conv3d(_between(front, x, frames - 1, frames + 2), weight, bias, padding=(0, 1, 1))
    return out


def _kernels(weight: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """[O, C, 3, 3, 3] → four kernels [O, C, 3, 3]."""
    first, second, third = weight.unbind(2)
    ends = first + third
    return first, (ends + second) / 2, (ends - second) / 2, third


def _between(front: Tensor, x: Tensor, start: int, end: int) -> Tensor:
    """Frames `start` to `end` of `front` and `x` together; a view where `front` has no part in them."""
    lead = front.shape[2]
    if start >= lead:
        return x[:, :, start - lead : end - lead]
    return torch.cat([front[:, :, start:], x[:, :, : end - lead]], dim=2)


def _pairs(
    x: Tensor,
    kernels: tuple[Tensor, Tensor, Tensor, Tensor],
    bias: Tensor | None,
    out: Tensor,
) -> None:
    """Fill `out` [B, O, 2p, H, W] from the frames [B, C, 2p + 2, H, W] that it sees."""
    count = out.shape[2]
    d0, d1, d2, d3 = (x[:, :, start : start + count : 2].transpose(1, 2) for start in range(4))
    even, odd = out[:, :, 0::2].transpose(1, 2), out[:, :, 1::2].transpose(1, 2)

    def product(frames: Tensor, kernel: Tensor, bias: Tensor | None = None) -> Tensor:
        return F.conv2d(frames.flatten(0, 1), kernel, bias, padding=1).unflatten(0, frames.shape[:2])

    both = product(d1 + d2, kernels[1], bias)
    apart = product(d2 - d1, kernels[2])
    torch.add(both, apart, out=even)
    torch.sub(both, apart, out=odd)
    del both, apart
    even += product(d0 - d2, kernels[0])
    odd -= product(d1 - d3, kernels[3])
