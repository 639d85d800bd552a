"""Self attention over latent tokens and cross attention to text.

B: batch · S: latent tokens · L: text tokens · D: width · H: heads · E: head width
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from models import ascend
from models.dit.rope import RotaryTable, rotate
from models.dit.sequence import WHOLE, Spread
from models.dit.skiparse import Pattern, join, pad, split


@dataclass(frozen=True)
class SelfContext:
    """What every self attention of a forward pass shares. `spread` is where its tokens lie on several ranks."""

    table: RotaryTable
    sparse_ratio: int
    biases: dict[Pattern, Tensor | None]
    spread: Spread = WHOLE


class Attention(nn.Module):
    """The projections of multi-head attention, with bias on each."""

    def __init__(self, heads: int, head_width: int) -> None:
        super().__init__()
        width = heads * head_width
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def split_heads(self, x_BSD: Tensor) -> Tensor:
        """[B, S, D] → [B, S, H, E]."""
        return x_BSD.unflatten(-1, (self.heads, -1))

    def project(self, x_BSD: Tensor, source_BLD: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries [B, S, H, E] of `x`, keys and values [B, L, H, E] of `source`."""
        q, k, v = self.query(x_BSD), self.key(source_BLD), self.value(source_BLD)
        return self.split_heads(q), self.split_heads(k), self.split_heads(v)


class SelfAttention(Attention):
    """Attention among latent tokens, with rotary positions and one of the Skiparse patterns.

    Of tokens that are spread over ranks it takes and gives this rank's.
    """

    def forward(self, x_BSD: Tensor, pattern: Pattern, context: SelfContext) -> Tensor:
        return self.out(self._attended(x_BSD, pattern, context).flatten(2))

    def _attended(self, x_BSD: Tensor, pattern: Pattern, context: SelfContext) -> Tensor:
        """[B, S, H, E]. Of queries, keys and values each is arranged before the next is made, to hold least at once."""
        ratio, group = context.sparse_ratio, context.spread.group

        def arranged(projected_BSD: Tensor, table: RotaryTable | None) -> Tensor:
            x = group.by_heads(self.split_heads(projected_BSD), context.spread.latents)
            x = x if table is None else rotate(x, table)
            return x if pattern is Pattern.DENSE else split(pad(x, ratio), pattern, ratio)

        q, k = arranged(self.query(x_BSD), context.table), arranged(self.key(x_BSD), context.table)
        attended = attend(q, k, arranged(self.value(x_BSD), None), context.biases[pattern])
        if pattern is not Pattern.DENSE:
            attended = join(attended, pattern, ratio)[:, : len(context.table.cosine)]
        return group.by_tokens(attended)


class CrossAttention(Attention):
    """Attention of latent tokens to text; each query sees all of it, so no pattern applies."""

    def forward(self, x_BSD: Tensor, text_BLD: Tensor, bias: Tensor | None, spread: Spread = WHOLE) -> Tensor:
        q, k, v = self.project(x_BSD, text_BLD)
        q = spread.group.by_heads(q, spread.latents)
        k, v = (spread.group.by_heads(x, spread.text) for x in (k, v))
        return self.out(spread.group.by_tokens(attend(q, k, v, bias)).flatten(2))


def attend(q_BSHE: Tensor, k_BLHE: Tensor, v_BLHE: Tensor, bias: Tensor | None) -> Tensor:
    """Softmax attention [B, S, H, E]; without a bias the fastest kernel of the device is free to run."""
    if ascend.is_here(q_BSHE):
        return ascend.attend(q_BSHE, k_BLHE, v_BLHE, bias)
    q, k, v = (x.transpose(1, 2) for x in (q_BSHE, k_BLHE, v_BLHE))
    return F.scaled_dot_product_attention(q, k, v, None if bias is None else bias.to(q.dtype)).transpose(1, 2)
