"""A grid of points, followed through a video of any size."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from models.metrics.cotracker2.network import SIZE, CoTracker2, Tracks

MARGIN = 64
"""The grid keeps a 64th of the width away from all four borders."""
VISIBLE = 0.9
"""A point is visible when its probability is above this."""


def follow_grid(network: CoTracker2, video: Tensor, side: int, size: tuple[int, int] = SIZE) -> Tracks:
    """The tracks of side × side points, row by row, in pixels of the video, [T, 3, H, W], 0 to 255.

    Frames are resized to `size` whatever their shape. In the first frame the points are where they were put, and
    visible.
    """
    height, width = size
    small = F.interpolate(video, size, mode="bilinear", align_corners=True)
    points = grid(side, height, width).to(small)
    found = network(small, points)
    places, visibility = found.places.clone(), found.visibility.clone()
    places[0], visibility[0] = points, 1.0
    scale = torch.tensor([(video.shape[-1] - 1) / (width - 1), (video.shape[-2] - 1) / (height - 1)]).to(small)
    return Tracks(places * scale, visibility)


def grid(side: int, height: int, width: int) -> Tensor:
    margin = width / MARGIN
    y = torch.linspace(margin, height - margin, side)
    x = torch.linspace(margin, width - margin, side)
    rows, columns = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([columns, rows], dim=-1).reshape(-1, 2)
