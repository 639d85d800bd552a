"""CoTracker2 (Karaev et al. 2023, arXiv 2307.07635): points of the first frame, followed in windows of eight frames.

Rounding grows: the positions are seen through waves of up to 969 radians a cell, so that an error of 1e-6 becomes some
250 times larger with each refinement. Tracks of real videos differ in their third digit from machine to machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.metrics.cotracker2.features import CELL, CHANNELS, Correlation, Features, sample
from models.metrics.cotracker2.transformer import UpdateFormer
from models.published import UnfitWeights, load_published

SIZE = (384, 512)
"""Height and width at which it looks at every video."""
WINDOW, STEP = 8, 4
TOKEN = 456
WAVES = 64
CERTAIN = 10.0
"""The logit of visibility with which the first window begins."""
TABLES = ("time_emb", "pos_emb")
TABLE_TOLERANCE = 1e-3


class Tracks(NamedTuple):
    places: Tensor
    """[T, N, 2], pixels of the frames given, x first."""
    visibility: Tensor
    """Probabilities, [T, N]."""


class CoTracker2(nn.Module):
    """`size`: height and width of the frames, of which the table of positions is made."""

    def __init__(self, size: tuple[int, int] = SIZE) -> None:
        super().__init__()
        self.fnet = Features()
        self.updateformer = UpdateFormer(TOKEN, 2 + CHANNELS)
        self.norm = nn.GroupNorm(1, CHANNELS)
        self.track_feat_updater = nn.Sequential(nn.Linear(CHANNELS, CHANNELS), nn.GELU())
        self.vis_predictor = nn.Sequential(nn.Linear(CHANNELS, 1))
        height, width = (side // CELL for side in size)
        self.register_buffer("time_emb", time_table(), persistent=False)
        self.register_buffer("pos_emb", place_table(height, width), persistent=False)
        self.time_emb: Tensor
        self.pos_emb: Tensor

    def forward(self, video: Tensor, points: Tensor, refinements: int = 6) -> Tracks:
        """Frames [T, 3, H, W], 0 to 255, and points of the first one [N, 2] in pixels.

        The number of windows comes from the frames given, so that of fewer than five frames there is none: all places
        are 0 then, and all probabilities one half.
        """
        frames, count = len(video), len(points)
        start = points / CELL
        windows = (frames - WINDOW + STEP - 1) // STEP + 1
        features = self._features(video)
        feature = sample(features[:1], start[None])[0]
        places = video.new_zeros(len(features), count, 2)
        logits = video.new_zeros(len(features), count)
        at, seen = start.expand(WINDOW, count, 2), video.new_full((WINDOW, count), CERTAIN)
        fresh = video.new_ones(WINDOW)
        for number in range(windows):
            span = slice(STEP * number, STEP * number + WINDOW)
            at, seen = self.window(features[span], feature, at, seen, fresh, refinements)
            places[span], logits[span] = at, seen
            at, seen = (torch.cat([each[STEP:], each[-1:].expand(STEP, *each.shape[1:])]) for each in (at, seen))
            fresh = torch.cat([fresh.new_zeros(STEP), fresh.new_ones(STEP)])
        return Tracks(CELL * places[:frames], logits[:frames].sigmoid())

    def _features(self, video: Tensor) -> Tensor:
        """The last frame stands for what is missing to a multiple of eight."""
        found = torch.cat([self.fnet(2 * part / 255 - 1) for part in video.split(WINDOW)])
        missing = -len(video) % WINDOW
        return torch.cat([found, found[-1:].expand(missing, *found.shape[1:])])

    def window(
        self, features: Tensor, feature: Tensor, at: Tensor, seen: Tensor, fresh: Tensor, refinements: int
    ) -> tuple[Tensor, Tensor]:
        """Places [8, N, 2] in cells and logits of visibility [8, N], refined; `feature` [N, 128] of the points, `fresh`
        1 in frames that no window has seen before."""
        count = len(feature)
        correlation = Correlation(features)
        of = feature.expand(WINDOW, count, CHANNELS)
        position = sample(self.pos_emb, at[:1]) + self.time_emb[0][:, None]  # [8, N, 456]
        known = torch.stack([fresh[:, None].expand(WINDOW, count), seen], dim=-1)
        for _ in range(refinements):
            moved = waves(at - at[:1])
            token = torch.cat([moved, correlation.around(at, of), of, known], dim=-1) + position
            change = self.updateformer(token.transpose(0, 1)).transpose(0, 1)
            at = at + change[..., :2]
            more = self.norm(change[..., 2:].flatten(0, 1))
            of = of + self.track_feat_updater(more).unflatten(0, (WINDOW, count))
        return at, self.vis_predictor(of)[..., 0]


def waves(shift: Tensor) -> Tensor:
    """Shifts [..., 2] in cells, and their sines and cosines by turns, those of x before those of y: [..., 130]."""
    rates = torch.arange(0, WAVES, 2, device=shift.device, dtype=shift.dtype) * (1000 / WAVES)
    angles = shift[..., None] * rates
    turns = torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-3)
    return torch.cat([shift, turns], dim=-1)


def _sinusoid(places: Tensor, channels: int) -> Tensor:
    """Sines, then cosines: [n, channels], in double."""
    rates = 10000 ** (-torch.arange(channels // 2, dtype=torch.float64) / (channels / 2))
    angles = places[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


def time_table() -> Tensor:
    return _sinusoid(torch.arange(WINDOW, dtype=torch.float64), TOKEN)[None].float()


def place_table(height: int, width: int) -> Tensor:
    """[1, 456, height, width]: x in the first half of the channels."""
    x, y = (_sinusoid(torch.arange(side, dtype=torch.float64), TOKEN // 2).T for side in (width, height))
    half = (TOKEN // 2, height, width)
    return torch.cat([x[:, None].expand(half), y[:, :, None].expand(half)])[None].float()


def load_cotracker2(published: Mapping[str, object], size: tuple[int, int] = SIZE) -> CoTracker2:
    """The network of a state dict as `cotracker2.pth` holds it, in evaluation mode.

    Raises:
        UnfitWeights: it is another network's, or its tables of sines are not these.
    """
    network = CoTracker2(size)
    load_published(network, published, of="CoTracker2", unused=TABLES)
    for name in TABLES:
        theirs, ours = published.get(name), network.get_buffer(name)
        if theirs is not None and not _same(theirs, ours):
            raise UnfitWeights(f"not CoTracker2: {name} is another table than its {list(ours.shape)} of sines")
    return network.eval()


def _same(theirs: object, ours: Tensor) -> bool:
    if not isinstance(theirs, Tensor) or theirs.shape != ours.shape:
        return False
    return torch.allclose(theirs.float(), ours, atol=TABLE_TOLERANCE)
