"""A plain Skiparse denoiser: tokens lie sequence first, and every mask exists.

S: latent tokens · L: text tokens · B: batch · D: width · k: sparse ratio
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from benchmarks.published_style.denoiser_blocks import Rearrangement, TransformerBlock
from models.dit import DenoiserConfig

PATCH = 2
HIDDEN, PADDED = -10000.0, -9980.0


class TimestepEmbedder(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear_1, self.linear_2 = nn.Linear(256, width), nn.Linear(width, width)

    def forward(self, timestep: Tensor) -> Tensor:
        """[B] → [B, D]."""
        steps = torch.arange(128, dtype=torch.float32, device=timestep.device)
        angle = timestep.float()[:, None] * torch.exp(-math.log(10000) * steps / 128)[None]
        sinusoid = torch.cat([torch.cos(angle), torch.sin(angle)], dim=-1)
        return self.linear_2(F.silu(self.linear_1(sinusoid.to(self.linear_1.weight.dtype))))


class AdaLayerNormSingle(nn.Module):
    """[B] → the embedding [B, D] and the modulation [B, 6·D] that all blocks share."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.emb = nn.ModuleDict({"timestep_embedder": TimestepEmbedder(width)})
        self.linear = nn.Linear(width, 6 * width)

    def forward(self, timestep: Tensor) -> tuple[Tensor, Tensor]:
        embedding = self.emb["timestep_embedder"](timestep)
        return embedding, self.linear(F.silu(embedding))


class CaptionProjection(nn.Module):
    def __init__(self, text_width: int, width: int) -> None:
        super().__init__()
        self.linear_1, self.linear_2 = nn.Linear(text_width, width), nn.Linear(width, width)

    def forward(self, text: Tensor) -> Tensor:
        return self.linear_2(F.gelu(self.linear_1(text), approximate="tanh"))


class PatchEmbed(nn.Module):
    """[B, C, T, H, W] → [S, B, D], order t, h, w."""

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(in_channels, width, PATCH, stride=PATCH)

    def forward(self, latent: Tensor) -> Tensor:
        batch, channels, frames, height, width = latent.shape
        images = latent.permute(0, 2, 1, 3, 4).reshape(batch * frames, channels, height, width)
        x = self.proj(images).flatten(2).permute(0, 2, 1)
        return x.reshape(batch, -1, x.shape[-1]).permute(1, 0, 2).contiguous()


class PlainDenoiser(nn.Module):
    """Called like `models.dit.SkiparseDenoiser`. The first and last `dense_ends` layers are dense."""

    def __init__(self, config: DenoiserConfig, dense_ends: int = 2) -> None:
        super().__init__()
        self.config, self.dense_ends = config, dense_ends
        self.gradient_checkpointing = False
        width = config.width
        self.pos_embed = PatchEmbed(config.in_channels, width)
        self.adaln_single = AdaLayerNormSingle(width)
        self.caption_projection = CaptionProjection(config.text_width, width)
        self.transformer_blocks = nn.ModuleList(TransformerBlock(width, config.heads) for _ in range(config.layers))
        self.norm_out = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.scale_shift_table = nn.Parameter(torch.randn(2, width) / width**0.5)
        self.proj_out = nn.Linear(width, PATCH * PATCH * config.in_channels)

    def forward(
        self,
        latent: Tensor,
        timestep: Tensor,
        text: Tensor,
        text_mask: Tensor | None = None,
        latent_mask: Tensor | None = None,
    ) -> Tensor:
        """[B, C, T, H, W], like `latent`. An absent mask is made, all ones."""
        config = self.config
        text_mask = torch.ones(text.shape[:2], device=text.device) if text_mask is None else text_mask
        latent_mask = torch.ones_like(latent[:, 0]) if latent_mask is None else latent_mask
        text_bias = ((1 - text_mask.to(latent.dtype)) * HIDDEN)[:, None, None]
        visible = F.max_pool2d(latent_mask.to(latent.dtype), PATCH).flatten(1).bool()
        bias = (1 - visible.to(latent.dtype)) * HIDDEN
        grid = (latent.shape[2], latent.shape[3] // PATCH, latent.shape[4] // PATCH)
        rope = (grid, (config.position_scale_t, config.position_scale_h, config.position_scale_w))

        k, sparse = config.sparse_ratio, range(self.dense_ends, config.layers - self.dense_ends)
        splits = {False: Rearrangement(k, group=False), True: Rearrangement(k, group=True)}
        sparse_bias = {group: split.split(bias.T, PADDED).T[:, None, None] for group, split in splits.items()}

        x = self.pos_embed(latent)
        embedding, m = self.adaln_single(timestep)
        text = self.caption_projection(text).permute(1, 0, 2).contiguous()
        for index, block in enumerate(self.transformer_blocks):
            if k > 1 and index in sparse:
                group = index % 2 == 1
                arguments: tuple[Any, ...] = (
                    x,
                    text,
                    m,
                    sparse_bias[group],
                    text_bias.repeat(k, 1, 1, 1),
                    splits[group],
                    rope,
                )
            else:
                arguments = (x, text, m, bias[:, None, None], text_bias, None, rope)
            recompute = self.gradient_checkpointing and self.training and torch.is_grad_enabled()
            x = checkpoint(block, *arguments, use_reentrant=False) if recompute else block(*arguments)

        shift, scale = (self.scale_shift_table[:, None] + embedding[None]).chunk(2, dim=0)
        x = self.proj_out(self.norm_out(x) * (1 + scale) + shift).permute(1, 0, 2)
        x = x.reshape(len(x), *grid, PATCH, PATCH, config.in_channels).permute(0, 6, 1, 2, 4, 3, 5)
        return x.reshape(latent.shape)
