"""Residual blocks and the attention of a WF-VAE, over video [B, C, T, H, W]."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from models import ascend
from models.wfvae.cache import CausalCache
from models.wfvae.convolutions import CausalConv3d, PointwiseConv3d, fold_frames, unfold_frames
from models.wfvae.normalization import activated, normalization


class ResidualBlock(nn.Module):
    """Norm, SiLU and causal 3×3×3 convolution, twice, added to the input."""

    def __init__(self, in_channels: int, out_channels: int, norm: str) -> None:
        super().__init__()
        self.norm1 = normalization(norm, in_channels)
        self.conv1 = CausalConv3d(in_channels, out_channels, 3, padding=1)
        self.norm2 = normalization(norm, out_channels)
        self.conv2 = CausalConv3d(out_channels, out_channels, 3, padding=1)
        self.shortcut = PointwiseConv3d(in_channels, out_channels) if in_channels != out_channels else nn.Identity()

    def forward(self, x: Tensor, cache: CausalCache | None = None) -> Tensor:
        h = self.conv1(activated(self.norm1(x)), cache)
        h = activated(self.norm2(h))  # a line of its own, so that its input is freed before the next convolution
        return self.conv2(h, cache).add_(self.shortcut(x))


class FrameResidualBlock(nn.Module):
    """The residual block with 3×3 convolutions that see one frame.

    Group normalisation takes its statistics from one frame here too; the sheets do not say so, the parity cases do.
    """

    def __init__(self, channels: int, norm: str) -> None:
        super().__init__()
        self.norm1 = normalization(norm, channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm2 = normalization(norm, channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv1(activated(self.norm1(fold_frames(x))))
        h = activated(self.norm2(h))
        return unfold_frames(self.conv2(h), x.shape[0]).add_(x)


class FrameAttention(nn.Module):
    """Single-head self attention among the places of one frame."""

    def __init__(self, channels: int, norm: str) -> None:
        super().__init__()
        self.norm = normalization(norm, channels)
        self.query = PointwiseConv3d(channels, channels)
        self.key = PointwiseConv3d(channels, channels)
        self.value = PointwiseConv3d(channels, channels)
        self.project = PointwiseConv3d(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        normed = self.norm(x)
        q, k, v = (_places(layer(normed)) for layer in (self.query, self.key, self.value))
        attended = _attended(q, k, v).transpose(1, 2)
        frames = unfold_frames(attended.unflatten(2, x.shape[3:]), x.shape[0])
        return self.project(frames).add_(x)


def _attended(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """[B·T, H·W, C] of the same with a head, [B·T, 1, H·W, C]."""
    if ascend.is_here(q):
        return ascend.attend(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), None).squeeze(2)
    return F.scaled_dot_product_attention(q, k, v).squeeze(1)


def _places(x: Tensor) -> Tensor:
    """[B, C, T, H, W] → [B·T, 1, H·W, C]: a batch of frames, one head."""
    return fold_frames(x).flatten(2).transpose(1, 2).unsqueeze(1)


class Middle(nn.Module):
    """Residual block, attention (where the configuration has it), residual block, at the coarsest level."""

    def __init__(self, in_channels: int, channels: int, out_channels: int, norm: str, attention: bool) -> None:
        super().__init__()
        self.block1 = ResidualBlock(in_channels, channels, norm)
        self.attention = FrameAttention(channels, norm) if attention else nn.Identity()
        self.block2 = ResidualBlock(channels, out_channels, norm)

    def forward(self, x: Tensor, cache: CausalCache | None = None) -> Tensor:
        return self.block2(self.attention(self.block1(x, cache)), cache)


class CausalSequence(nn.ModuleList):
    """Causal layers one after the other, each handed the cache."""

    def forward(self, x: Tensor, cache: CausalCache | None = None) -> Tensor:
        for layer in self:
            x = layer(x, cache)
        return x
