"""CHScore of ChronoMagic-Bench (Yuan et al. 2024, arXiv 2406.18522; its code since October 2024): how few of the points
of the first frame are lost on the way, by the tracks of CoTracker2.

A point is missing where it is not seen and has not gone on in its direction; one that has, may have left the frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from ops.metrics.base import PARITY, Frames, Measure, Needs, Value, Video, VideoMetric
from ops.statistics.bootstrap import Interval, mean_interval, median_interval

if TYPE_CHECKING:
    from models.metrics.cotracker2 import CoTracker2
    from ops.weights.surroundings import Surroundings

SIDE = 30
"""Points a side of the grid."""
JUMP = 0.1
"""Share of the points that go missing, or come back, at once."""
WEIGHTS = {"ampr": 0.35, "mpvr": 0.25, "fcr": 0.15, "cmpv": 0.15, "mcmpv": 0.10}
LARGEST = {
    "ampr": 0.9368749856948853,
    "mpvr": 0.8997353911399841,
    "fcr": 0.625,
    "cmpv": 20.0,
    "mcmpv": 1.0,
}
"""What each term is divided by, as published."""
Kind = Literal["official", "median", "sum"]
NAMES: dict[Kind, str] = {"official": "chscore", "median": "chscore_median", "sum": "chscore_sum"}


class CHScore(VideoMetric):
    """The reciprocal of a weighted sum of what goes wrong.

    `official`: the mean of videos, in which a video that loses nothing at all counts 0, the worst there is, and one
    that loses almost nothing has no upper bound. `median`: of the videos that lose something. `sum`: the mean of the
    sums themselves, of which less is better.
    """

    version = "2024-10"
    needs = Needs(frames=5, weights=("cotracker2",), accelerator=True)
    terms: ClassVar = {**dict.fromkeys(WEIGHTS, float), "sum": float, "flawless": bool}
    proof = PARITY

    def __init__(self, kind: Kind) -> None:
        self.kind, self.name = kind, NAMES[kind]
        self.higher_is_better = kind != "sum"
        self.fooled_by = "a video in which nothing moves"
        self.quirks = ("a video without any loss scores 0",) if kind == "official" else ()

    def start(self, project: Surroundings) -> Measure:
        from models.metrics.cotracker2 import load_cotracker2
        from ops.weights.checkpoints import network

        reader = Follow(network(project, "cotracker2", load_cotracker2))

        def measure(video: Video) -> Value:
            return self.of(*video.once(reader))

        return measure

    def of(self, places: NDArray[np.float32], visible: NDArray[np.bool_]) -> Value:
        """From places [T, N, 2] in pixels and whether they are seen [T, N]."""
        terms = loss_terms(places, visible)
        total = sum(WEIGHTS[name] * terms[name] / LARGEST[name] for name in WEIGHTS)
        kept = {**terms, "sum": total, "flawless": total == 0}
        if self.kind == "sum":
            return Value(total, kept)
        if total:
            return Value(1 / total, kept)
        return Value(0.0 if self.kind == "official" else None, kept)

    def over(self, values: Sequence[Value]) -> Interval:
        measured = [each.value for each in values if each.value is not None]
        return median_interval(measured) if self.kind == "median" else mean_interval(measured)


@dataclass(frozen=True)
class Follow:
    """Those of the same network are one reader of a video."""

    network: CoTracker2

    def __call__(self, frames: Frames) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        import torch

        from models.metrics.cotracker2 import VISIBLE, follow_grid
        from ops.metrics.networks.frames import as_tensor

        device = next(self.network.parameters()).device
        with torch.inference_mode():
            found = follow_grid(self.network, as_tensor(frames, device).float(), SIDE)
        return found.places.cpu().numpy(), (found.visibility > VISIBLE).cpu().numpy()


def loss_terms(places: NDArray[np.float32], visible: NDArray[np.bool_]) -> dict[str, float]:
    """The five terms, as they are: mean share of missing points, deviation of its changes, share and number of jumps,
    and the largest change. In float32, as published.

    Raises:
        ValueError: fewer than three frames, of whose changes there is no deviation.
    """
    frames, points = visible.shape
    if frames < 3:
        raise ValueError(f"CHScore needs three frames, but the tracks have {frames}")
    moved = places - places[:1]
    way = moved[frames // 2]
    direction = way / (np.linalg.norm(way, axis=-1, keepdims=True) + np.float32(1e-8))
    onwards = (moved * direction).sum(axis=-1) > 0
    missing = (~visible & ~onwards).sum(axis=1).astype(np.float32) / np.float32(points)
    change = np.abs(np.diff(missing))
    jumps = int((change > np.float32(JUMP)).sum())
    return {
        "ampr": float(missing.mean()),
        "mpvr": float(change.std(ddof=1)),
        "fcr": jumps / frames,
        "cmpv": float(jumps),
        "mcmpv": float(change.max()),
    }
