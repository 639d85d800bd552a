"""CoTracker2's update of points: attention over time for each, and between points through 64 virtual ones."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WIDTH, HEADS, ROUNDS, VIRTUAL = 384, 8, 6, 64
HIDDEN = 4 * WIDTH


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.to_q = nn.Linear(WIDTH, WIDTH)
        self.to_kv = nn.Linear(WIDTH, 2 * WIDTH)
        self.to_out = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        key, value = self.to_kv(context).chunk(2, dim=-1)
        query, key, value = (each.unflatten(-1, (HEADS, -1)).transpose(1, 2) for each in (self.to_q(x), key, value))
        seen = F.scaled_dot_product_attention(query, key, value)
        return self.to_out(seen.transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(WIDTH, HIDDEN)
        self.fc2 = nn.Linear(HIDDEN, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x), approximate="tanh"))


class Block(nn.Module):
    """Tokens [B, N, 384] that attend to each other, or, crossed, to a context with a normalisation of its own."""

    def __init__(self, crossed: bool = False) -> None:
        super().__init__()
        self._attention: Literal["cross_attn", "attn"] = "cross_attn" if crossed else "attn"
        if crossed:
            self.norm_context = nn.LayerNorm(WIDTH)
        self.add_module(self._attention, Attention())
        self.mlp = FeedForward()

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        normed = _normed(x)
        x = x + self.get_submodule(self._attention)(normed, normed if context is None else self.norm_context(context))
        return x + self.mlp(_normed(x))


def _normed(x: Tensor) -> Tensor:
    return F.layer_norm(x, (WIDTH,), eps=1e-6)


class UpdateFormer(nn.Module):
    """Tokens of points [N, T, inwards] → what changes, [N, T, outwards]."""

    def __init__(self, inwards: int, outwards: int) -> None:
        super().__init__()
        self.virual_tracks = nn.Parameter(torch.zeros(1, VIRTUAL, 1, WIDTH))  # as the file spells it
        self.input_transform = nn.Linear(inwards, WIDTH)
        self.flow_head = nn.Linear(WIDTH, outwards)
        self.time_blocks = nn.ModuleList(Block() for _ in range(ROUNDS))
        self.space_virtual_blocks = nn.ModuleList(Block() for _ in range(ROUNDS))
        self.space_point2virtual_blocks = nn.ModuleList(Block(crossed=True) for _ in range(ROUNDS))
        self.space_virtual2point_blocks = nn.ModuleList(Block(crossed=True) for _ in range(ROUNDS))

    def forward(self, points: Tensor) -> Tensor:
        count, frames, _ = points.shape
        tokens = torch.cat([self.input_transform(points), self.virual_tracks[0].expand(-1, frames, -1)])
        space = (self.space_virtual2point_blocks, self.space_virtual_blocks, self.space_point2virtual_blocks)
        for over_time, from_points, among, to_points in zip(self.time_blocks, *space, strict=True):
            by_frame = over_time(tokens).transpose(0, 1)
            real, virtual = by_frame[:, :count], by_frame[:, count:]
            virtual = among(from_points(virtual, real))
            tokens = torch.cat([to_points(real, virtual), virtual], dim=1).transpose(0, 1)
        return self.flow_head(tokens[:count])
