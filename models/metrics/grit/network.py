"""GRiT (Wu et al. 2022, arXiv 2212.00280): boxes of objects of any kind, with names or captions for them.

One frame at a time, at the size that it has. The two text decoders of the published code are one module; its mask head
changes nothing of what is read here, and is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import clip_boxes_to_image

from models.metrics.grit import boxes, text
from models.metrics.grit.boxes import BoxHead, BoxPredictor, Stage
from models.metrics.grit.config import GritConfig
from models.metrics.grit.proposals import ProposalGenerator, Proposals
from models.metrics.grit.pyramid import Backbone
from models.metrics.grit.text import Task, TextDecoder, Texts
from models.published import load_published

MULTIPLE = 32
MEAN, DEVIATION = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
"""Of red, green and blue, 0 to 255."""
PREFIX = "roi_heads."
TIED = f"{PREFIX}text_decoder.textual.output.weight"
WORDS = f"{PREFIX}text_decoder.textual.embedding.words.weight"
UNUSED = (f"{PREFIX}mask_head.", f"{PREFIX}text_decoder_det.")


class Detected(NamedTuple):
    """Of one frame, the best first."""

    boxes: Tensor
    """[N, 4], x1, y1, x2, y2 in pixels."""
    scores: Tensor
    """[N], with what the names are worth; by it nothing is sorted or left out."""
    names: Tensor
    """Ids of word pieces, [N, L]."""
    captions: Tensor | None
    """The same, where captions were asked for."""


class RoiHeads(nn.Module):
    def __init__(self, config: GritConfig) -> None:
        super().__init__()
        self.box_head = nn.ModuleList(BoxHead(config) for _ in boxes.DIVISORS)
        self.box_predictor = nn.ModuleList(BoxPredictor(config) for _ in boxes.DIVISORS)
        self.text_decoder = TextDecoder(config)

    def stages(self, levels: list[Tensor], proposed: Tensor, size: tuple[int, int]) -> list[Stage]:
        """The first is given the proposals as they are, those after it what was clipped to the frame."""
        found: list[Stage] = []
        for number, parts in enumerate(zip(self.box_head, self.box_predictor, strict=True)):
            given = clip_boxes_to_image(found[-1].boxes, size) if found else proposed
            found.append(boxes.run_stage(number, *parts, levels, given))
        return found

    def say(self, levels: list[Tensor], found: Tensor, task: Task) -> Texts:
        return self.text_decoder.textual.say(features(levels, found), task)


class Grit(nn.Module):
    def __init__(self, config: GritConfig | None = None) -> None:
        super().__init__()
        config = config or GritConfig()
        self.backbone = Backbone(config)
        self.proposal_generator = ProposalGenerator(config)
        self.roi_heads = RoiHeads(config)

    def forward(self, frame: Tensor, captions: bool = False) -> Detected:
        """An RGB frame, uint8 [H, W, 3]."""
        size = (frame.shape[0], frame.shape[1])
        levels = self.backbone(network_input(frame))
        found, scores = self.detect(levels, self.proposal_generator(levels), size)
        if not len(found):
            nothing = torch.zeros(0, 2, dtype=torch.long, device=found.device)
            return Detected(found, scores, nothing, nothing if captions else None)
        named = self.roi_heads.say(levels, found, Task.NAMES)
        told = self.roi_heads.say(levels, found, Task.CAPTIONS) if captions else None
        scores = (scores * (told or named).log_probability.exp()).sqrt()
        full = ((found[:, 2] > found[:, 0]) & (found[:, 3] > found[:, 1])).nonzero()[:, 0]
        return Detected(found[full], scores[full], named.ids[full], told.ids[full] if told else None)

    def detect(self, levels: list[Tensor], proposals: Proposals, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        return boxes.detections(self.roi_heads.stages(levels, proposals.boxes, size), proposals, size)


def network_input(frame: Tensor) -> Tensor:
    """An RGB frame uint8 [H, W, 3], normalised and filled by zeros to multiples of 32: [1, 3, H, W]."""
    mean, deviation = (torch.tensor(each, device=frame.device) for each in (MEAN, DEVIATION))
    normal = ((frame.float() - mean) / deviation).permute(2, 0, 1)[None]
    return F.pad(normal, (0, -normal.shape[3] % MULTIPLE, 0, -normal.shape[2] % MULTIPLE))


def features(levels: list[Tensor], found: Tensor) -> Tensor:
    """What the decoder sees of boxes: [N, 196, C], row by row."""
    return boxes.pool(levels, found, text.SIDE).flatten(2).mT


def load_grit(published: Mapping[str, object], config: GritConfig | None = None) -> Grit:
    """The network of a state dict as `grit_b_densecap_objectdet.pth` holds it, in evaluation mode.

    Raises:
        UnfitWeights: it is another network's.
    """
    network = Grit(config)
    state = {**published}
    if WORDS in state:
        state.setdefault(TIED, state[WORDS])
    load_published(network, state, of="GRiT-B for objects and captions", unused=UNUSED)
    return network.eval()
