"""A layer of the plain Skiparse denoiser: tokens lie sequence first, positions turn in each.

S: latent tokens · L: text tokens · B: batch · D: width · H: heads · E: head width · k: sparse ratio
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Rope = tuple[tuple[int, int, int], tuple[float, float, float]]
"""The token grid T, H, W and the scale of each axis."""


class Rearrangement:
    """The split of one layer into k sub-sequences, which move to the batch; sub-sequence major, batch minor."""

    def __init__(self, ratio: int, group: bool) -> None:
        self.ratio, self.group = ratio, group

    def split(self, x: Tensor, padding: float = 0.0) -> Tensor:
        """[S, B, …] → [S'/k, k·B, …], where S' is S padded to a multiple of k²."""
        k, rest = self.ratio, x.shape[1:]
        x = F.pad(x, [0, 0] * (x.ndim - 1) + [0, -x.shape[0] % k**2], value=padding)
        if self.group:
            x = x.reshape(-1, k, k, *rest).transpose(1, 2)
        return x.reshape(-1, k * rest[0], *rest[1:])

    def join(self, x: Tensor, length: int) -> Tensor:
        """The inverse, without the padding: [S'/k, k·B, …] → [S, B, …]."""
        k, rest = self.ratio, (x.shape[1] // self.ratio, *x.shape[2:])
        if self.group:
            x = x.reshape(-1, k, k, *rest).transpose(1, 2)
        return x.reshape(-1, *rest)[:length]


def rope_3d(x: Tensor, grid: tuple[int, int, int], scales: tuple[float, float, float]) -> Tensor:
    """[B, H, S, E] turned by position: a third of E for each of t, h and w. The tables are made on the spot."""
    positions = torch.cartesian_prod(*(torch.arange(size, device=x.device) for size in grid))
    turned = []
    for axis, (part, scale) in enumerate(zip(x.chunk(3, dim=-1), scales, strict=True)):
        width = part.shape[-1]
        frequency = 1.0 / 10000.0 ** (torch.arange(0, width, 2, device=x.device).float() / width)
        angle = torch.outer(torch.arange(grid[axis], device=x.device).float() / scale, frequency)
        angle = torch.cat([angle, angle], dim=-1).to(x.dtype)
        cosine = F.embedding(positions.view(-1, 3)[:, axis], angle.cos())[None, None]
        sine = F.embedding(positions.view(-1, 3)[:, axis], angle.sin())[None, None]
        first, second = part.chunk(2, dim=-1)
        turned.append(part * cosine + torch.cat([-second, first], dim=-1) * sine)
    return torch.cat(turned, dim=-1)


class Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_q, self.to_k, self.to_v = (nn.Linear(width, width) for _ in range(3))
        self.to_out = nn.ModuleList([nn.Linear(width, width)])

    def forward(
        self,
        x_SBD: Tensor,
        source_LBD: Tensor,
        mask: Tensor,
        rearrangement: Rearrangement | None,
        rope: Rope | None = None,
    ) -> Tensor:
        """Self attention where `rope` is given, which splits all of q, k and v; else the text is repeated k times."""
        length = x_SBD.shape[0]
        q, k, v = self.to_q(x_SBD), self.to_k(source_LBD), self.to_v(source_LBD)
        if rope is not None:
            q, k = (self._merge_heads(rope_3d(self._split_heads(x), *rope)) for x in (q, k))
        if rearrangement is not None:
            q = rearrangement.split(q)
            if rope is None:
                k, v = (x.repeat(1, rearrangement.ratio, 1) for x in (k, v))
            else:
                k, v = rearrangement.split(k), rearrangement.split(v)
        q, k, v = (self._split_heads(x) for x in (q, k, v))
        mask = mask.expand(-1, self.heads, q.shape[2], -1)
        x = self._merge_heads(F.scaled_dot_product_attention(q, k, v, attn_mask=mask))
        if rearrangement is not None:
            x = rearrangement.join(x, length)
        return self.to_out[0](x)

    def _split_heads(self, x_SBD: Tensor) -> Tensor:
        """[S, B, D] → [B, H, S, E]."""
        return x_SBD.view(*x_SBD.shape[:2], self.heads, -1).permute(1, 2, 0, 3).contiguous()

    def _merge_heads(self, x_BHSE: Tensor) -> Tensor:
        """[B, H, S, E] → [S, B, D]."""
        return x_BHSE.permute(2, 0, 1, 3).flatten(2).contiguous()


class GELU(nn.Module):
    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.proj = nn.Linear(width, out)

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(self.proj(x), approximate="tanh")


class FeedForward(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.net = nn.ModuleList([GELU(width, 4 * width), nn.Identity(), nn.Linear(4 * width, width)])

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.net:
            x = layer(x)
        return x


class TransformerBlock(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.scale_shift_table = nn.Parameter(torch.randn(6, width) / width**0.5)
        self.norm1 = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.attn1 = Attention(width, heads)
        self.attn2 = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.ff = FeedForward(width)

    def forward(
        self,
        x: Tensor,
        text: Tensor,
        m: Tensor,
        mask: Tensor,
        text_mask: Tensor,
        rearrangement: Rearrangement | None,
        rope: Rope,
    ) -> Tensor:
        """`x` [S, B, D], `text` [L, B, D], `m` [B, 6·D]; the masks are those of this layer's split."""
        table = self.scale_shift_table[:, None] + m.view(m.shape[0], 6, -1).transpose(0, 1)
        shift1, scale1, gate1, shift2, scale2, gate2 = table.chunk(6, dim=0)
        h = self.norm1(x) * (1 + scale1) + shift1
        x = x + gate1 * self.attn1(h, h, mask, rearrangement, rope)
        x = x + self.attn2(x, text, text_mask, rearrangement)
        h = self.norm2(x) * (1 + scale2) + shift2
        return x + gate2 * self.ff(h)
