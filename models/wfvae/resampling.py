"""Halving and doubling the resolution of video [B, C, T, H, W]."""

from __future__ import annotations

from itertools import product

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.wfvae.cache import CausalCache
from models.wfvae.convolutions import CausalConv3d, FrameConv2d, fold_frames, unfold_frames


class FrameDownsample(nn.Module):
    """Each frame to half its sides by a strided convolution; one column and one row of zeros at the far edges."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = FrameConv2d(channels, channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.pad(x, (0, 1, 0, 1)))


class CausalDownsample(nn.Module):
    """Half the sides and [2m+1] → [m+1] frames."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = CausalConv3d(channels, channels, 3, stride=2)

    def forward(self, x: Tensor, cache: CausalCache | None = None) -> Tensor:
        return self.conv(F.pad(x, (0, 1, 0, 1)), cache)


class FrameUpsample(nn.Module):
    """Each frame to twice its sides, by repetition and a 3×3 convolution.

    They are computed together. Of the three rows under the kernel, two are copies of one source row: an even output
    row sees taps [w₀, w₁ + w₂] of source rows y - 1 and y, an odd one [w₀ + w₁, w₂] of rows y and y + 1, and columns
    alike. So four 2×2 convolutions of the source, one for each phase, give the same with 16 products for 36.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        source, bias = F.pad(fold_frames(x), (1, 1, 1, 1)), self.conv.get_parameter("bias")
        kernels = phase_kernels(self.conv.weight).unflatten(0, (2, 2, -1))
        height, width = x.shape[3:]
        phases = (
            (row, column, source[:, :, row : row + height + 1, column : column + width + 1])
            for row, column in product(range(2), range(2))
        )
        if torch.is_grad_enabled():
            made = [F.conv2d(seen, kernels[row, column], bias) for row, column, seen in phases]
            rows = [torch.stack(pair, dim=4).flatten(3) for pair in (made[:2], made[2:])]
            return unfold_frames(torch.stack(rows, dim=3).flatten(2, 3), x.shape[0])
        enlarged = source.new_empty(len(source), 2 * height, 2 * width, len(bias)).movedim(3, 1)
        for row, column, seen in phases:  # one phase at a time, so that memory holds little beside the result
            enlarged[:, :, row::2, column::2] = F.conv2d(seen, kernels[row, column], bias)
        return unfold_frames(enlarged, x.shape[0])


def phase_kernels(kernel: Tensor) -> Tensor:
    """[O, I, 3, 3] → [4·O, I, 2, 2]: the kernels of the phases (row, column) 00, 01, 10, 11."""
    return _phases(_phases(kernel, dim=2), dim=4).movedim(1, 0).flatten(0, 2)


def _phases(kernel: Tensor, dim: int) -> Tensor:
    """The three taps along `dim` summed to two for each phase, on a new first axis."""
    before, centre, after = kernel.unbind(dim)
    even, odd = (before, centre + after), (before + centre, after)
    return torch.stack([torch.stack(even, dim), torch.stack(odd, dim)])


class CausalUpsample(nn.Module):
    """Twice the sides and [m+1] → [2m+1] frames, then a causal convolution.

    Frame 0 stands for one frame; each later one becomes two, repeated ("nearest") or interpolated at a quarter and
    three quarters of the way to its neighbours ("trilinear"), the second and the last frame being edges. The sides are
    interpolated bilinearly in either mode.

    Trilinear interpolation looks one frame ahead. In a chunked call, the output frame that needs the next chunk is
    held back until that chunk comes, or until the cache says that none will.
    """

    def __init__(self, channels: int, mode: str) -> None:
        super().__init__()
        self.mode = mode
        self.conv = CausalConv3d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor, cache: CausalCache | None = None) -> Tensor:
        starts = cache is None or cache.first
        doubled = self._double(x[:, :, 1:] if starts else x, cache)
        frames = torch.cat([x[:, :, :1], doubled], dim=2) if starts else doubled
        return self.conv(_enlarge(frames), cache)

    def _double(self, x: Tensor, cache: CausalCache | None) -> Tensor:
        if x.shape[2] == 0:
            return x
        if self.mode == "nearest":
            return x.repeat_interleave(2, dim=2)
        before = None if cache is None else cache.recall(self)
        if cache is not None:
            cache.keep(self, x[:, :, -1:])
        doubled = _between(torch.cat([x[:, :, :1] if before is None else before, x], dim=2))
        if before is None:
            doubled = doubled[:, :, 1:]
        return torch.cat([doubled, x[:, :, -1:]], dim=2) if cache is None or cache.last else doubled


def _between(x: Tensor) -> Tensor:
    """For each pair of neighbouring frames, the frames at a quarter and three quarters of the way."""
    a, b = x[:, :, :-1], x[:, :, 1:]
    return torch.stack([torch.lerp(a, b, 0.25), torch.lerp(a, b, 0.75)], dim=3).flatten(2, 3)


def _enlarge(x: Tensor) -> Tensor:
    frames = F.interpolate(fold_frames(x), scale_factor=2.0, mode="bilinear", align_corners=False)
    return unfold_frames(frames, x.shape[0])
