"""BERT's layers (Devlin et al. 2018) under its published names: self-attention, with or without attention to something
else, and a feed-forward; each is normalised after it was added."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

NORM_EPS = 1e-12


class Projections(nn.Module):
    """Queries of `width`, keys and values from states `context` wide."""

    def __init__(self, width: int, context: int) -> None:
        super().__init__()
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(context, width)
        self.value = nn.Linear(context, width)

    def forward(self, x: Tensor, context: Tensor, heads: int, mask: Tensor | None) -> Tensor:
        """`mask` is true where a query may look, and broadcasts to [B, heads, queries, keys]."""
        parts = (self.query(x), self.key(context), self.value(context))
        query, key, value = (part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in parts)
        seen = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return seen.transpose(1, 2).flatten(2)


class Added(nn.Module):
    """A linear map, added to what went in before, and normalised."""

    def __init__(self, inwards: int, width: int) -> None:
        super().__init__()
        self.dense = nn.Linear(inwards, width)
        self.LayerNorm = nn.LayerNorm(width, eps=NORM_EPS)

    def forward(self, x: Tensor, before: Tensor) -> Tensor:
        return self.LayerNorm(self.dense(x) + before)


class Attention(nn.Module):
    def __init__(self, width: int, heads: int, context: int | None = None) -> None:
        super().__init__()
        self.heads = heads
        self.self = Projections(width, context or width)  # as the files name it
        self.output = Added(width, width)

    def forward(self, x: Tensor, context: Tensor, mask: Tensor | None = None, heads: int | None = None) -> Tensor:
        """`heads`: other than the usual number, where the same weights are read in two ways."""
        return self.output(self.self(x, context, heads or self.heads, mask), x)


class Intermediate(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.dense = nn.Linear(width, hidden)

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(self.dense(x))


class Layer(nn.Module):
    """Tokens [B, N, width]; with `context`, the width of what it attends to besides."""

    def __init__(self, width: int, heads: int, hidden: int, context: int | None = None) -> None:
        super().__init__()
        self.attention = Attention(width, heads)
        if context is not None:
            self.crossattention = Attention(width, heads, context)
        self.intermediate = Intermediate(width, hidden)
        self.output = Added(hidden, width)

    def forward(
        self, x: Tensor, mask: Tensor | None = None, other: Tensor | None = None, before: Tensor | None = None
    ) -> Tensor:
        """`other`: states to attend to besides. `before`: states ahead of x which its tokens see, too."""
        keys = x if before is None else torch.cat([before, x], dim=1)
        x = self.attention(x, keys, mask)
        if other is not None:
            x = self.crossattention(x, other)
        return self.feed_forward(x)

    def without_itself(self, x: Tensor, other: Tensor, heads: int) -> Tensor:
        """What the same weights make of tokens that attend to `other` alone, by another number of heads."""
        return self.feed_forward(self.crossattention(x, other, heads=heads))

    def feed_forward(self, x: Tensor) -> Tensor:
        return self.output(self.intermediate(x), x)


class Encoder(nn.Module):
    """Only a place for names: whoever has it calls the layers."""

    def __init__(self, layers: int, width: int, heads: int, hidden: int, context: int | None = None) -> None:
        super().__init__()
        self.layer = nn.ModuleList(Layer(width, heads, hidden, context) for _ in range(layers))

    def first(self, count: int) -> list[Layer]:
        return [layer for layer in self.layer if isinstance(layer, Layer)][:count]


class Embeddings(nn.Module):
    """Ids [B, N] → states: word and position, and kind of text where the file has it."""

    def __init__(self, vocabulary: int, width: int, positions: int, kinds: int = 0) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(vocabulary, width)
        self.position_embeddings = nn.Embedding(positions, width)
        self.token_type_embeddings = nn.Embedding(kinds, width) if kinds else None
        self.LayerNorm = nn.LayerNorm(width, eps=NORM_EPS)

    def forward(self, ids: Tensor) -> Tensor:
        places = torch.arange(ids.shape[1], device=ids.device)
        found = self.word_embeddings(ids) + self.position_embeddings(places)
        if self.token_type_embeddings is not None:
            found = found + self.token_type_embeddings.weight[0]
        return self.LayerNorm(found)


def causal(length: int, device: torch.device, before: int = 0) -> Tensor:
    """The mask of `length` tokens that see those ahead of them, themselves, and all of `before` others."""
    later = torch.ones(length, length, dtype=torch.bool, device=device).tril()
    return F.pad(later, (before, 0), value=True)
