"""From proposals to boxes, in three stages (Cai and Vasconcelos 2018, arXiv 1712.00726)."""

from __future__ import annotations

from math import log
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import clip_boxes_to_image, nms, roi_align

from models.metrics.grit.config import GritConfig
from models.metrics.grit.proposals import Proposals
from models.metrics.grit.pyramid import STRIDES

SIDE = 7
DIVISORS = ((10.0, 10.0, 5.0, 5.0), (20.0, 20.0, 10.0, 10.0), (30.0, 30.0, 15.0, 15.0))
"""Of the shifts and sizes that each stage says."""
MOST_GROWTH = log(1000 / 16)
LEAST_SCORE, OVERLAP, MOST = 0.5, 0.5, 256
OBJECT = 0
"""The place of what is an object among the two logits; the other is background."""
FIRST_LEVEL, LAST_LEVEL = 3, 5


class Stage(NamedTuple):
    logits: Tensor
    """[N, 2]."""
    deltas: Tensor
    """[N, 4]."""
    boxes: Tensor
    """[N, 4], before they are clipped to the frame."""


class BoxHead(nn.Module):
    def __init__(self, config: GritConfig) -> None:
        super().__init__()
        self.fc1 = nn.Linear(config.pyramid * SIDE**2, config.box_hidden)
        self.fc2 = nn.Linear(config.box_hidden, config.box_hidden)

    def forward(self, pooled: Tensor) -> Tensor:
        return F.relu(self.fc2(F.relu(self.fc1(pooled.flatten(1)))))


class BoxPredictor(nn.Module):
    def __init__(self, config: GritConfig) -> None:
        super().__init__()
        hidden = config.box_hidden
        self.cls_score = nn.Linear(hidden, 2)
        self.bbox_pred = nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 4))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.cls_score(x), self.bbox_pred(x)


def run_stage(number: int, head: nn.Module, predictor: nn.Module, levels: list[Tensor], boxes: Tensor) -> Stage:
    logits, deltas = predictor(head(pool(levels, boxes, SIDE)))
    return Stage(logits, deltas, moved(boxes, deltas / deltas.new_tensor(DIVISORS[number])))


def detections(stages: list[Stage], proposals: Proposals, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Boxes and scores of what was found, the best first."""
    certain = torch.stack([stage.logits.softmax(dim=1)[:, OBJECT] for stage in stages]).mean(dim=0)
    scores = (certain * proposals.scores).sqrt()
    boxes = clip_boxes_to_image(stages[-1].boxes, size)
    above = scores > LEAST_SCORE
    boxes, scores = boxes[above], scores[above]
    kept = nms(boxes, scores, OVERLAP)[:MOST]
    return boxes[kept], scores[kept]


def moved(boxes: Tensor, by: Tensor) -> Tensor:
    """Boxes shifted by parts of their sides, and grown by powers of e."""
    sides = boxes[:, 2:] - boxes[:, :2]
    centres = boxes[:, :2] + sides / 2 + by[:, :2] * sides
    half = by[:, 2:].clamp(max=MOST_GROWTH).exp() * sides / 2
    return torch.cat([centres - half, centres + half], dim=1)


def pool(levels: list[Tensor], boxes: Tensor, side: int) -> Tensor:
    """Features of each box, [N, C, side, side], out of p3, p4 or p5: the larger the box, the coarser."""
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    level = (4 + (area.sqrt() / 224 + 1e-8).log2()).floor().clamp(FIRST_LEVEL, LAST_LEVEL)
    found = levels[0].new_zeros(len(boxes), levels[0].shape[1], side, side)
    for number in range(FIRST_LEVEL, LAST_LEVEL + 1):
        mine, place = level == number, number - FIRST_LEVEL
        found[mine] = roi_align(levels[place], [boxes[mine]], side, 1 / STRIDES[place], sampling_ratio=0, aligned=True)
    return found
