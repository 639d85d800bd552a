"""ViTDet (Li et al. 2022, arXiv 2203.16527): a plain vision transformer, most blocks of which see windows alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.feed_forward import FeedForward
from models.metrics.grit.config import GritConfig

PATCH, WINDOW = 16, 14
NORM_EPS = 1e-6


class Attention(nn.Module):
    """Over a map [B, H, W, C], with positions told by two tables, one of rows apart and one of columns apart."""

    def __init__(self, width: int, heads: int, cells: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.rel_pos_h = nn.Parameter(torch.zeros(2 * cells - 1, width // heads))
        self.rel_pos_w = nn.Parameter(torch.zeros(2 * cells - 1, width // heads))

    def forward(self, x: Tensor) -> Tensor:
        batch, height, width, _ = x.shape
        parts = self.qkv(x).reshape(batch, height * width, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        query, key, value = parts  # [B, heads, H·W, c]
        bias = self._bias(query.unflatten(2, (height, width)), height, width)
        seen = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        return self.proj(seen.transpose(1, 2).reshape(batch, height, width, -1))

    def _bias(self, query: Tensor, height: int, width: int) -> Tensor:
        """What positions add to the logits; of the query as it is, not scaled: [B, heads, H·W, H·W]."""
        down = torch.einsum("bnhwc,hkc->bnhwk", query, _apart(self.rel_pos_h, height))
        across = torch.einsum("bnhwc,wkc->bnhwk", query, _apart(self.rel_pos_w, width))
        return (down[..., :, None] + across[..., None, :]).flatten(4).flatten(2, 3)


def _apart(table: Tensor, cells: int) -> Tensor:
    """The entry of each pair of cells, [cells, cells, c]; a table for another number of cells is resized."""
    length = 2 * cells - 1
    if len(table) != length:
        table = F.interpolate(table.T[None], length, mode="linear", align_corners=False)[0].T
    places = torch.arange(cells, device=table.device)
    return table[places[:, None] - places + cells - 1]


class Block(nn.Module):
    def __init__(self, width: int, heads: int, cells: int, windowed: bool) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=NORM_EPS)
        self.attn = Attention(width, heads, cells)
        self.norm2 = nn.LayerNorm(width, eps=NORM_EPS)
        self.mlp = FeedForward(width, 4 * width)
        self._windowed = windowed

    def forward(self, x: Tensor) -> Tensor:
        normed = self.norm1(x)
        x = x + (self._in_windows(normed) if self._windowed else self.attn(normed))
        return x + self.mlp(self.norm2(x))

    def _in_windows(self, x: Tensor) -> Tensor:
        """The zeros that fill the last windows take part."""
        batch, height, width, channels = x.shape
        x = F.pad(x, (0, 0, 0, -width % WINDOW, 0, -height % WINDOW))
        rows, columns = x.shape[1] // WINDOW, x.shape[2] // WINDOW
        cut = x.reshape(batch, rows, WINDOW, columns, WINDOW, channels).transpose(2, 3)
        seen = self.attn(cut.flatten(0, 2)).reshape(batch, rows, columns, WINDOW, WINDOW, channels)
        joined = seen.transpose(2, 3).reshape(batch, rows * WINDOW, columns * WINDOW, channels)
        return joined[:, :height, :width]


class PatchEmbed(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, PATCH, PATCH)

    def forward(self, frames: Tensor) -> Tensor:
        return self.proj(frames).permute(0, 2, 3, 1)


class VisionTransformer(nn.Module):
    """Normalised frames [B, 3, H, W], sides multiples of 16 → [B, width, H/16, W/16]."""

    def __init__(self, config: GritConfig) -> None:
        super().__init__()
        self.patch_embed = PatchEmbed(config.width)
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + WINDOW**2, config.width))
        self.blocks = nn.ModuleList(
            Block(
                config.width,
                config.heads,
                config.cells if number in config.global_blocks else WINDOW,
                windowed=number not in config.global_blocks,
            )
            for number in range(config.depth)
        )

    def forward(self, frames: Tensor) -> Tensor:
        x = self.patch_embed(frames)
        x = x + self._positions(*x.shape[1:3])
        for block in self.blocks:
            x = block(x)
        return x.permute(0, 3, 1, 2)

    def _positions(self, height: int, width: int) -> Tensor:
        """The table without its first row, which is of a token that there is not here."""
        table = self.pos_embed[:, 1:].reshape(1, WINDOW, WINDOW, -1).permute(0, 3, 1, 2)
        if (height, width) != (WINDOW, WINDOW):
            table = F.interpolate(table, (height, width), mode="bicubic", align_corners=False)
        return table.permute(0, 2, 3, 1)
