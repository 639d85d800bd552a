"""TransNetV2 (Souček and Lokoč 2020, arXiv 2008.04838): for each frame, how probable a shot boundary is there.

B: batch · T: frames of a window · C: channels · H, W: 27 and 48 pixels.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.transnetv2.dilated import Stack
from models.transnetv2.neighbours import ColourNeighbours, FeatureNeighbours

HEIGHT, WIDTH = 27, 48
"""Pixels of the frames that the network was trained on, whatever the shape of the picture."""
FILTERS, STACKS, HIDDEN, OF_NEIGHBOURS = 16, 3, 1024, 128
BRANCHES = 4


class Probabilities(NamedTuple):
    """Of each frame, 0 to 1."""

    boundary: Tensor
    """That a shot ends with it: at a gradual transition, that it is the middle one."""
    transition: Tensor
    """That it belongs to a transition."""


class TransNetV2(nn.Module):
    """Three stacks of dilated convolutions, each of twice the channels and half the height and width, and beside them
    how like each frame is to its 50 neighbours on either side: by its features, and by its colours."""

    def __init__(self) -> None:
        super().__init__()
        filters = [FILTERS * 2**number for number in range(STACKS)]
        channels = [BRANCHES * each for each in filters]
        self.stacks = nn.ModuleList(map(Stack, [3, *channels[:-1]], filters))
        self.features = FeatureNeighbours(sum(channels), OF_NEIGHBOURS)
        self.colours = ColourNeighbours(OF_NEIGHBOURS)
        places = (HEIGHT >> STACKS) * (WIDTH >> STACKS)
        self.hidden = nn.Linear(2 * OF_NEIGHBOURS + channels[-1] * places, HIDDEN)
        self.boundary = nn.Linear(HIDDEN, 1)
        self.transition = nn.Linear(HIDDEN, 1)

    def forward(self, frames_BTHWC: Tensor) -> Probabilities:
        """RGB frames uint8 [B, T, 27, 48, 3] → probabilities [B, T].

        Raises:
            ValueError: frames of another size or type.
        """
        if frames_BTHWC.dtype != torch.uint8 or frames_BTHWC.shape[2:] != (HEIGHT, WIDTH, 3):
            found = f"{frames_BTHWC.dtype} {tuple(frames_BTHWC.shape)}"
            raise ValueError(f"frames are {found}, expected uint8 [B, T, {HEIGHT}, {WIDTH}, 3]")
        x = frames_BTHWC.permute(0, 4, 1, 2, 3).to(self.hidden.weight.dtype) / 255  # [B, C, T, H, W]
        means = []
        for stack in self.stacks:
            x = stack(x)
            means.append(x.mean(dim=(3, 4)))
        places = x.permute(0, 2, 3, 4, 1).flatten(2)  # the channels of a place stand together
        like = [self.colours(frames_BTHWC), self.features(torch.cat(means, dim=1).mT)]
        hidden = F.relu(self.hidden(torch.cat([*like, places], dim=2)))
        return Probabilities(*(head(hidden)[..., 0].sigmoid() for head in (self.boundary, self.transition)))
