"""The tower of InternVideo2 that sees a video."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.feed_forward import FeedForward
from models.metrics.internvideo2.config import InternVideo2Config

PATCH = 14
NORM_EPS = 1e-6


class Attention(nn.Module):
    """Queries and keys are normalised over all heads together."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.q_norm = nn.RMSNorm(width, eps=NORM_EPS)
        self.k_norm = nn.RMSNorm(width, eps=NORM_EPS)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = self.qkv(x).chunk(3, dim=-1)
        return self.proj(_attend(self.q_norm(query), self.k_norm(key), value, self.heads))


class LayerScale(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma


class Block(nn.Module):
    def __init__(self, config: InternVideo2Config) -> None:
        super().__init__()
        width = config.width
        self.norm1, self.norm2 = (nn.RMSNorm(width, eps=NORM_EPS) for _ in range(2))
        self.attn, self.mlp = Attention(width, config.heads), FeedForward(width, config.hidden)
        self.ls1, self.ls2 = LayerScale(width), LayerScale(width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.ls1(self.attn(self.norm1(x)))
        return x + self.ls2(self.mlp(self.norm2(x)))


class PoolingAttention(nn.Module):
    def __init__(self, config: InternVideo2Config) -> None:
        super().__init__()
        width = config.width
        self.heads = config.pooling_heads
        self.q, self.k, self.v = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.q_bias, self.k_bias, self.v_bias = (nn.Parameter(torch.zeros(width)) for _ in range(3))
        self.proj = nn.Linear(width, config.pooled)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        query, key, value = self.q(query) + self.q_bias, self.k(key) + self.k_bias, self.v(value) + self.v_bias
        return self.proj(_attend(query, key, value, self.heads))


class Pooling(nn.Module):
    """Tokens [B, N, width] → [B, pooled]: what their mean attends to among them."""

    def __init__(self, config: InternVideo2Config) -> None:
        super().__init__()
        self.norm1_q, self.norm1_k, self.norm1_v = (nn.LayerNorm(config.width) for _ in range(3))
        self.cross_attn = PoolingAttention(config)

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(dim=1, keepdim=True)
        return self.cross_attn(self.norm1_q(mean), self.norm1_k(x), self.norm1_v(x))[:, 0]


class PatchEmbed(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv3d(3, width, (1, PATCH, PATCH), (1, PATCH, PATCH))

    def forward(self, video: Tensor) -> Tensor:
        return self.proj(video).flatten(2).mT


class VideoTower(nn.Module):
    """Normalised videos [B, T, 3, H, W] → tokens [B, 1 + T · H/14 · W/14, width], the class token first."""

    def __init__(self, config: InternVideo2Config) -> None:
        super().__init__()
        tokens = 1 + config.frames * (config.side // PATCH) ** 2
        self.patch_embed = PatchEmbed(config.width)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.width))
        self.pos_embed = nn.Parameter(torch.zeros(1, tokens, config.width))
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.clip_projector = Pooling(config)

    def forward(self, video: Tensor) -> Tensor:
        patches = self.patch_embed(video.transpose(1, 2))
        x = torch.cat([self.cls_token.expand(len(video), -1, -1), patches], dim=1) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        return x


def _attend(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    """All [B, N, C], seen by heads of C / heads channels each."""
    query, key, value = (part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in (query, key, value))
    return F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
