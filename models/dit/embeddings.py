"""What a denoiser's inputs become before its blocks: timestep, text and patches.

B: batch · D: width
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

FREQUENCIES = 256


def sinusoid(timestep: Tensor, width: int = FREQUENCIES) -> Tensor:
    """[B] → [B, width] in float32: cosines, then sines, of frequencies from 1 down to nearly 1/10000."""
    half = width // 2
    steps = torch.arange(half, dtype=torch.float32, device=timestep.device)
    angles = timestep.float()[:, None] * torch.exp(-math.log(10000.0) / half * steps)
    return torch.cat([angles.cos(), angles.sin()], dim=1)


class TimestepModulation(nn.Module):
    """The embedding of a timestep [B, D], and from it the shared modulation [B, 6, D] of all blocks."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(FREQUENCIES, width)
        self.embed = nn.Linear(width, width)
        self.modulate = nn.Linear(width, 6 * width)

    def forward(self, timestep: Tensor) -> tuple[Tensor, Tensor]:
        embedding = self.embed(F.silu(self.hidden(sinusoid(timestep).to(self.hidden.weight.dtype))))
        return embedding, self.modulate(F.silu(embedding)).unflatten(1, (6, -1))


class TextProjection(nn.Module):
    """Text embeddings [B, L, text width] → [B, L, D]."""

    def __init__(self, text_width: int, width: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(text_width, width)
        self.out = nn.Linear(width, width)

    def forward(self, text: Tensor) -> Tensor:
        return self.out(F.gelu(self.hidden(text), approximate="tanh"))


class PatchEmbed(nn.Conv2d):
    """Latents [B, C, T, H, W] → tokens [B, T·H/p·W/p, D] in the order of the axes."""

    def __init__(self, in_channels: int, width: int, patch: int) -> None:
        super().__init__(in_channels, width, patch, stride=patch)

    def forward(self, latent: Tensor) -> Tensor:
        batch = latent.shape[0]
        patches = super().forward(latent.transpose(1, 2).flatten(0, 1))
        return patches.flatten(2).transpose(1, 2).unflatten(0, (batch, -1)).flatten(1, 2)
