"""Absolute positions of tokens, for models of our own: the published denoiser has relative ones only (see `rope`).

A model that knows tokens only by how far they are from each other has to find out where they are from the edges of the
grid. Large ones do in time. Of nearly pure noise, where sampling begins and it is settled what moves where, a small one
learns it late: on the made world the direction of a prompt came after thousands of steps instead of hundreds.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

LOUDNESS = 0.7
"""Of the table: a token of noise has a standard deviation of about 0.6 in every channel, and drowns a quieter one."""
SEED = 0
"""Of the waves: part of the model, as its weights are."""


def absolute_table(grid: tuple[int, int, int], width: int, device: torch.device) -> Tensor:
    """[S, width] for a grid of T×H×W tokens in that order, float32: cosines and sines of waves that run through the
    grid in width/2 random directions. `width` is even.

    A wave along each axis would tell time and place apart, too. But what moves left is on the right early and on the
    left late: that takes both at once, and waves across the axes have them so (arXiv 2006.10739 on such features).
    """
    waves = torch.rand(width // 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(SEED))
    places = torch.cartesian_prod(*(torch.arange(size, dtype=torch.float64) for size in grid)).view(-1, 3)
    angles = (2 * math.pi * places @ waves.T).float().to(device)
    return LOUDNESS * torch.cat([angles.cos(), angles.sin()], dim=1)
