"""AMT-S (Li et al. 2023, arXiv 2304.09790): the frame at half the time between two, from all pairs of their places."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from models.metrics.amt.blocks import Decoder, FeatureEncoder, Pyramid, Update, resize
from models.metrics.amt.correlation import Correlation, grid, look_up, warp
from models.published import load_published

CHANNELS = (20, 32, 44, 56)
FLOWS = 3
"""Candidates a pixel, for each of the two frames."""
MULTIPLE, SHORTEST = 16, 128
"""Of both sides, in pixels."""
HALF = 0.5
"""The moment of the frame that is made."""


class AmtS(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        first, second, third, fourth = CHANNELS
        self.feat_encoder = FeatureEncoder()
        self.encoder = Pyramid(CHANNELS)
        self.decoder4 = Decoder(2 * fourth + 1, 2 * fourth, third + 4)
        self.decoder3 = Decoder(3 * third + 4, 3 * third, second + 4)
        self.decoder2 = Decoder(3 * second + 4, 3 * second, first + 4)
        self.decoder1 = Decoder(3 * first + 4, 3 * first, 8 * FLOWS)
        self.update4 = Update(third, 1)
        self.update3 = Update(second, 2)
        self.update2 = Update(first, 4)
        self.comb_block = nn.Sequential(
            nn.Conv2d(3 * FLOWS, 6 * FLOWS, 3, padding=1),
            nn.PReLU(6 * FLOWS),
            nn.Conv2d(6 * FLOWS, 3, 3, padding=1),
        )

    def forward(self, before: Tensor, after: Tensor) -> Tensor:
        """Two frames [B, 3, H, W] in [0, 1] → the frame between them, the same.

        Raises:
            ValueError: sides that are no multiples of 16 of at least 128 pixels.
        """
        height, width = before.shape[-2:]
        if min(height, width) < SHORTEST or height % MULTIPLE or width % MULTIPLE:
            raise ValueError(f"frames are {height}x{width}, but AMT-S takes multiples of 16 of at least 128 pixels")
        mean = torch.cat([before, after], dim=-1).mean(dim=(1, 2, 3), keepdim=True)
        before, after = before - mean, after - mean
        correlation = Correlation(self.feat_encoder(before), self.feat_encoder(after))
        levels = list(zip(self.encoder(before), self.encoder(after), strict=True))
        time = before.new_full((len(before), 1, *levels[3][0].shape[-2:]), HALF)
        flows, features = self._decoded(self.decoder4(*levels[3], time), None)
        for level, update, decoder in ((2, self.update4, self.decoder3), (1, self.update3, self.decoder2)):
            features, flows = self._updated(update, features, flows, correlation)
            flows, features = self._decoded(_at(decoder, levels[level], flows, features), flows)
        features, flows = self._updated(self.update2, features, flows, correlation)
        last = _at(self.decoder1, levels[0], flows, features)
        return self._blended(before, after, mean, flows, last)

    @staticmethod
    def _decoded(found: Tensor, coarser: Tensor | None) -> tuple[Tensor, Tensor]:
        """Both flows, refined from those of half the size, and features."""
        flows, features = found[:, :4], found[:, 4:]
        return (flows if coarser is None else flows + 2 * resize(coarser, 2)), features

    @staticmethod
    def _updated(update: Update, features: Tensor, flows: Tensor, seen: Correlation) -> tuple[Tensor, Tensor]:
        small = flows if update.factor == 1 else resize(flows, 1 / update.factor) / update.factor
        places = grid(small)
        forwards = look_up(seen.forwards, places + small[:, 2:] / HALF)
        backwards = look_up(seen.backwards, places + small[:, :2] / (1 - HALF))
        more_features, more_flows = update(features, small, torch.cat([forwards, backwards], dim=1))
        return features + more_features, flows + more_flows

    def _blended(self, before: Tensor, after: Tensor, mean: Tensor, flows: Tensor, last: Tensor) -> Tensor:
        """Three candidates, each from both frames, and their mean with what the last layer adds to it."""
        shifts, mask, residue = last.split([4 * FLOWS, FLOWS, 3 * FLOWS], dim=1)
        coarse = 2 * resize(flows, 2)
        to_before = shifts[:, : 2 * FLOWS] + coarse[:, :2].repeat(1, FLOWS, 1, 1)
        to_after = shifts[:, 2 * FLOWS :] + coarse[:, 2:].repeat(1, FLOWS, 1, 1)
        share = mask.sigmoid()
        candidates = []
        for number in range(FLOWS):
            flow, colours = slice(2 * number, 2 * number + 2), slice(3 * number, 3 * number + 3)
            part = share[:, number : number + 1]
            blend = part * warp(before, to_before[:, flow]) + (1 - part) * warp(after, to_after[:, flow])
            candidates.append(blend + mean + residue[:, colours])
        middle = torch.stack(candidates).mean(dim=0) + self.comb_block(torch.cat(candidates, dim=1))
        return middle.clamp(0, 1)


def _at(decoder: Decoder, level: tuple[Tensor, Tensor], flows: Tensor, features: Tensor) -> Tensor:
    before, after = level
    return decoder(features, warp(before, flows[:, :2]), warp(after, flows[:, 2:]), flows)


def load_amt_s(published: Mapping[str, object]) -> AmtS:
    """The network of a state dict as `amt-s.pth` holds it, in evaluation mode.

    Raises:
        UnfitWeights: it is another network's.
    """
    network = AmtS()
    load_published(network, published, of="AMT-S")
    return network.eval()
