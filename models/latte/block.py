"""The two kinds of layer of the Latte denoiser: within a frame, and along time.

B: batch · F: frames, the video's and then the images · T: frames of the video · N: tokens of a frame · L: text tokens ·
D: width
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.dit.attention import Attention, CrossAttention, attend
from models.dit.block import FeedForward, modulated


class Caption(NamedTuple):
    """Projected text [B, L, D] and what is added to scores over it, [B, 1, 1, L] or None."""

    text: Tensor
    bias: Tensor | None


class SelfAttention(Attention):
    """Attention among the tokens of a sequence; positions are in the tokens already."""

    def forward(self, x_BSD: Tensor, bias: Tensor | None) -> Tensor:
        return self.out(attend(*self.project(x_BSD, x_BSD), bias).flatten(2))


class SpatialBlock(nn.Module):
    """Self attention within each frame, cross attention to its caption and feed-forward, each added to its input.

    The first and the last are normalised, shifted, scaled and gated by the timestep; cross attention is not.
    """

    def __init__(self, heads: int, head_width: int) -> None:
        super().__init__()
        width = heads * head_width
        self.modulation = nn.Parameter(torch.randn(6, width) / width**0.5)
        self.self_attention = SelfAttention(heads, head_width)
        self.cross_attention = CrossAttention(heads, head_width)
        self.feed_forward = FeedForward(width)

    def forward(
        self, x_BFND: Tensor, modulation_B6D: Tensor, bias: Tensor | None, video: Caption, images: Caption | None
    ) -> Tensor:
        """`bias` [B·F, 1, 1, N] is added to the scores of self attention; `images` has [B·I, L, D]."""
        shift1, scale1, gate1, shift2, scale2, gate2 = _parts(self.modulation + modulation_B6D)
        frames = modulated(x_BFND, shift1, scale1).flatten(0, 1)
        x = x_BFND + gate1 * self.self_attention(frames, bias).view_as(x_BFND)
        x = x + self._attend_to_text(x, video, images)
        return x + gate2 * self.feed_forward(modulated(x, shift2, scale2))

    def _attend_to_text(self, x: Tensor, video: Caption, images: Caption | None) -> Tensor:
        """All frames of a video ask one caption, so they are one sequence and the caption need not be repeated."""
        batch, frames = x.shape[:2]
        count = 0 if images is None else images.text.shape[0] // batch
        moving, still = x.split([frames - count, count], dim=1)
        attended = self.cross_attention(moving.flatten(1, 2), *video).view_as(moving)
        if images is None:
            return attended
        return torch.cat([attended, self.cross_attention(still.flatten(0, 1), *images).view_as(still)], dim=1)


class TemporalBlock(nn.Module):
    """Self attention among the frames at one place, and feed-forward, both normalised, modulated and gated."""

    def __init__(self, heads: int, head_width: int) -> None:
        super().__init__()
        width = heads * head_width
        self.modulation = nn.Parameter(torch.randn(6, width) / width**0.5)
        self.self_attention = SelfAttention(heads, head_width)
        self.feed_forward = FeedForward(width)

    def forward(self, x_BTND: Tensor, modulation_B6D: Tensor, bias: Tensor | None) -> Tensor:
        """`bias` [B·N, 1, 1, T] is added to the scores."""
        shift1, scale1, gate1, shift2, scale2, gate2 = _parts(self.modulation + modulation_B6D)
        places = modulated(x_BTND, shift1, scale1).transpose(1, 2)
        attended = self.self_attention(places.flatten(0, 1), bias).view(places.shape).transpose(1, 2)
        x = x_BTND + gate1 * attended
        return x + gate2 * self.feed_forward(modulated(x, shift2, scale2))


def _parts(modulation_B6D: Tensor) -> tuple[Tensor, ...]:
    """Shift, scale and gate of attention, then of feed-forward, each [B, 1, 1, D]."""
    return modulation_B6D[:, :, None, None].unbind(1)
