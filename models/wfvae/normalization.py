"""The two normalisations of a WF-VAE."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models import ascend
from models.wfvae.config import NORM_GROUPS

EPSILON = 1e-6


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of each place of a video [B, C, T, H, W] or of frames [N, C, H, W].

    It leaves the tensor in channels-last memory, where it, and the layers after it, need no copies.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        return ascend.in_single(self._normed, x.movedim(1, -1), self.weight, self.bias).movedim(-1, 1)

    def _normed(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return F.layer_norm(x, self.normalized_shape, weight, bias, self.eps)


class GroupNorm(nn.GroupNorm):
    """Over groups of channels, all frames and places together."""

    def __init__(self, channels: int) -> None:
        super().__init__(NORM_GROUPS, channels, eps=EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        return ascend.in_single(self._normed, x, self.weight, self.bias)

    def _normed(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return F.group_norm(x, self.num_groups, weight, bias, self.eps)


def normalization(kind: str, channels: int) -> nn.Module:
    """`layernorm` sees one place at a time and so keeps a video causal; `groupnorm` averages over all frames."""
    return ChannelNorm(channels) if kind == "layernorm" else GroupNorm(channels)


def activated(normed: Tensor) -> Tensor:
    """SiLU, in place where no gradient asks for its input."""
    return F.silu(normed, inplace=not torch.is_grad_enabled())
