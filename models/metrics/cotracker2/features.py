"""CoTracker2's features of frames, and what of them lies around points."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

CHANNELS = 128
CELL = 4
"""Pixels a side of a cell of the features."""
LEVELS, RADIUS = 4, 3


class Residual(nn.Module):
    def __init__(self, inwards: int, outwards: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inwards, outwards, 3, stride, 1)
        self.conv2 = nn.Conv2d(outwards, outwards, 3, 1, 1)
        self.downsample = nn.Sequential(nn.Conv2d(inwards, outwards, 1, stride)) if stride != 1 else None

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(F.instance_norm(self.conv1(x)))
        y = F.relu(F.instance_norm(self.conv2(y)))
        shortcut = x if self.downsample is None else F.instance_norm(self.downsample(x))
        return F.relu(shortcut + y)


def _stage(inwards: int, outwards: int, stride: int) -> nn.Sequential:
    return nn.Sequential(Residual(inwards, outwards, stride), Residual(outwards, outwards, 1))


class Features(nn.Module):
    """Frames [T, 3, H, W] in [-1, 1] → [T, 128, H/4, W/4], from four scales side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3)
        self.layer1, self.layer2 = _stage(64, 64, 1), _stage(64, 96, 2)
        self.layer3, self.layer4 = _stage(96, 128, 2), _stage(128, 128, 2)
        self.conv2 = nn.Conv2d(64 + 96 + 128 + 128, 2 * CHANNELS, 3, 1, 1)
        self.conv3 = nn.Conv2d(2 * CHANNELS, CHANNELS, 1)

    def forward(self, frames: Tensor) -> Tensor:
        size = [side // CELL for side in frames.shape[-2:]]
        x, scales = F.relu(F.instance_norm(self.conv1(frames))), []
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
            scales.append(F.interpolate(x, size, mode="bilinear", align_corners=True))
        return self.conv3(F.relu(F.instance_norm(self.conv2(torch.cat(scales, dim=1)))))


def sample(maps: Tensor, places: Tensor) -> Tensor:
    """`maps` [B, C, H, W] at `places` [B, n, 2], cells, x first: bilinear, the border beyond, [B, n, C]."""
    height, width = maps.shape[-2:]
    size = torch.tensor([width - 1, height - 1], device=maps.device, dtype=maps.dtype)
    unit = (2 * places / size - 1)[:, None]
    return F.grid_sample(maps, unit, padding_mode="border", align_corners=True)[:, :, 0].mT


class Correlation:
    """Products of points' features with all cells of a window's frames, on four scales."""

    def __init__(self, features: Tensor) -> None:
        self._levels = [features]
        while len(self._levels) < LEVELS:
            self._levels.append(F.avg_pool2d(self._levels[-1], 2))
        reach = torch.arange(-RADIUS, RADIUS + 1, device=features.device, dtype=features.dtype)
        self._offsets = torch.stack(torch.meshgrid(reach, reach, indexing="ij"), dim=-1).reshape(-1, 2)

    def around(self, places: Tensor, of: Tensor) -> Tensor:
        """At 7×7 places around `places` [T, n, 2] a level, with the points' features `of` [T, n, 128]: [T, n, 196].

        The first of the 7 goes along x.
        """
        found = []
        for number, level in enumerate(self._levels):
            products = torch.einsum("tnc,tchw->tnhw", of, level) / CHANNELS**0.5
            around = places[:, :, None] / 2**number + self._offsets
            seen = sample(products.flatten(0, 1)[:, None], around.flatten(0, 1))
            found.append(seen[..., 0].unflatten(0, places.shape[:2]))
        return torch.cat(found, dim=-1)
