"""Sine and cosine embeddings of position, added to tokens (Open-Sora Plan v1.1).

They are computed for the size at hand, in double precision, and are part of no state dict.
"""

from __future__ import annotations

import torch
from torch import Tensor

from models.geometry import PATCH

BASE = 10000.0
SIDE_UNIT = 64
"""The latent height whose positions are whole numbers; those of higher latents are closer together."""
FRAMES_UNIT = 16


def spatial_positions(grid: tuple[int, int], width: int, latent_side: int, device: torch.device) -> Tensor:
    """[h·w, width] in float32: the column's embedding, then the row's, for tokens in the order of rows.

    Either coordinate spans the same range whatever the grid: from 0 to `latent_side` / 2, for sides below 128.
    """
    span = latent_side // PATCH / max(latent_side // SIDE_UNIT, 1)
    row, column = (_embedding(size, span / size, width // 2, device) for size in grid)
    return torch.cat([column.repeat(grid[0], 1), row.repeat_interleave(grid[1], dim=0)], dim=1)


def temporal_positions(frames: int, width: int, latent_frames: int, device: torch.device) -> Tensor:
    """[frames, width] in float32; `latent_frames` sets the distance of neighbours."""
    intervals = latent_frames - 1 if latent_frames % 2 else latent_frames
    return _embedding(frames, 1 / max(intervals // FRAMES_UNIT, 1), width, device)


def _embedding(size: int, step: float, width: int, device: torch.device) -> Tensor:
    """[size, width] of positions 0, `step`, …: sines, then cosines, of frequencies from 1 down to nearly 1/10000.

    It is computed on the CPU, as not every accelerator has double precision.
    """
    half = width // 2
    frequencies = BASE ** (-torch.arange(half, dtype=torch.float64, device="cpu") / half)
    angles = step * torch.arange(size, dtype=torch.float64, device="cpu")[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=1).float().to(device)
