"""One layer of the denoiser.

B: batch · S: latent tokens · L: text tokens · D: width
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models import ascend
from models.dit.attention import CrossAttention, SelfAttention, SelfContext
from models.dit.skiparse import Pattern

EPSILON = 1e-6
WIDENING = 4
TOKENS_AT_ONCE = 2048


class FeedForward(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(width, WIDENING * width)
        self.out = nn.Linear(WIDENING * width, width)

    def forward(self, x_BSD: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            return self._of_tokens(x_BSD)
        # Tokens know nothing of each other here, so inference holds the wide activations of a few at a time.
        return torch.cat([self._of_tokens(part) for part in x_BSD.split(TOKENS_AT_ONCE, dim=1)], dim=1)

    def _of_tokens(self, x: Tensor) -> Tensor:
        return self.out(F.gelu(self.hidden(x), approximate="tanh"))


class Block(nn.Module):
    """Self attention, cross attention and feed-forward, each added to its input (arXiv 2412.00131).

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
        self,
        x_BSD: Tensor,
        text_BLD: Tensor,
        modulation_B6D: Tensor,
        pattern: Pattern,
        context: SelfContext,
        text_bias: Tensor | None,
    ) -> Tensor:
        shift1, scale1, gate1, shift2, scale2, gate2 = (self.modulation + modulation_B6D).unsqueeze(2).unbind(1)
        x = x_BSD + gate1 * self.self_attention(modulated(x_BSD, shift1, scale1), pattern, context)
        x = x + self.cross_attention(x, text_BLD, text_bias, context.spread)
        return x + gate2 * self.feed_forward(modulated(x, shift2, scale2))


def modulated(x_BSD: Tensor, shift_B1D: Tensor, scale_B1D: Tensor) -> Tensor:
    """Layer normalisation without weights of its own; scale and shift take their place."""
    normed = ascend.in_single(lambda x: F.layer_norm(x, x.shape[-1:], eps=EPSILON), x_BSD)
    return normed * (1 + scale_B1D) + shift_B1D
