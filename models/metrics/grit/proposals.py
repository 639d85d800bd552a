"""Where objects may be: CenterNet's second version (Zhou et al. 2021, arXiv 2103.07461), of objects of any kind."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import nms

from models.metrics.grit.config import GritConfig
from models.metrics.grit.pyramid import STRIDES

LEAST_SCORE, MOST_OF_LEVEL, OVERLAP, MOST = 1e-4, 1000, 0.9, 256
SMALLEST_SIDE = 0.01


class Proposals(NamedTuple):
    boxes: Tensor
    """[N, 4], x1, y1, x2, y2 in pixels; they may reach beyond the frame."""
    scores: Tensor
    """[N], 0 to 1."""


class Scale(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))


class CenterNetHead(nn.Module):
    """A map of the pyramid → distances to the four sides in units of the stride, and logits of being an object."""

    def __init__(self, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(4):
            layers += [nn.Conv2d(width, width, 3, padding=1), nn.GroupNorm(32, width), nn.ReLU()]
        self.bbox_tower = nn.Sequential(*layers)
        self.bbox_pred = nn.Conv2d(width, 4, 3, padding=1)
        self.agn_hm = nn.Conv2d(width, 1, 3, padding=1)
        self.scales = nn.ModuleList(Scale() for _ in STRIDES)

    def forward(self, levels: list[Tensor]) -> list[tuple[Tensor, Tensor]]:
        found = []
        for scale, level in zip(self.scales, levels, strict=True):
            x = self.bbox_tower(level)
            found.append((F.relu(self.bbox_pred(x) * scale.scale), self.agn_hm(x)))
        return found


class ProposalGenerator(nn.Module):
    def __init__(self, config: GritConfig) -> None:
        super().__init__()
        self.centernet_head = CenterNetHead(config.pyramid)

    def forward(self, levels: list[Tensor]) -> Proposals:
        maps = zip(STRIDES, self.centernet_head(levels), strict=True)
        boxes, scores = zip(*(_of_level(stride, *each) for stride, each in maps), strict=True)
        return _best(torch.cat(boxes), torch.cat(scores))


def _of_level(stride: int, distances: Tensor, logits: Tensor) -> tuple[Tensor, Tensor]:
    score = logits[0, 0].sigmoid().flatten()
    kept = (score > LEAST_SCORE).nonzero()[:, 0]
    if len(kept) > MOST_OF_LEVEL:
        kept = kept[score[kept].topk(MOST_OF_LEVEL).indices]
    columns = logits.shape[-1]
    centre = torch.stack([kept % columns, kept // columns], dim=1) * stride + stride // 2
    away = distances[0].flatten(1).T[kept] * stride
    low, high = centre - away[:, :2], centre + away[:, 2:]
    return torch.cat([low, high.maximum(low + SMALLEST_SIDE)], dim=1), score[kept].sqrt()


def _best(boxes: Tensor, scores: Tensor) -> Proposals:
    kept = nms(boxes, scores, OVERLAP)
    if len(kept) > MOST:
        kept = kept[scores[kept] >= scores[kept[MOST - 1]]]
    return Proposals(boxes[kept], scores[kept])
