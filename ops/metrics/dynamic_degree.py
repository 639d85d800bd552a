"""Dynamic degree of VBench (Huang et al. 2024): whether enough moves, by the optical flow of RAFT."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from ops.metrics.base import PARITY, Measure, Needs, Value, Video, VideoMetric
from ops.metrics.networks.flow import SHORTEST

if TYPE_CHECKING:
    from ops.weights.surroundings import Surroundings

RATE = 8
"""Frames a second that are looked at, about."""
SHARE = 0.05
"""Of the flow, the largest."""
PIXELS, OF_SIDE = 6.0, 256
PAIRS, OF_FRAMES = 4, 16


class DynamicDegree(VideoMetric):
    """Of a video 1 or 0, of a set the share of those that move."""

    name, version = "dynamic_degree", "1"
    higher_is_better = True
    fooled_by = "a camera that shakes"
    needs = Needs(frames=2, side=SHORTEST, fps=True, weights=("raft",))
    proof = PARITY
    quirks = ("flow is taken of frames padded to multiples of 8, the threshold from the frames as they are",)

    def unfit(self, video: Video) -> str | None:
        reason = super().unfit(video)
        if reason is None and video.fps and len(video.frames) <= apart(video.fps):
            return f"has one frame at the {RATE} a second that {self.name} looks at"
        return reason

    def start(self, project: Surroundings) -> Measure:
        from models.metrics.raft import load_raft
        from ops.metrics.networks.flow import strongest
        from ops.weights.checkpoints import network

        raft = network(project, "raft", load_raft)

        def measure(video: Video) -> Value:
            assert video.fps is not None  # else it is unfit
            frames = video.frames[:: apart(video.fps)]
            flows = [strongest(raft, before, after, SHARE) for before, after in pairwise(frames)]
            return Value(float(moves(flows, len(frames), min(video.frames.shape[1:3]))))

        return measure


def apart(fps: float) -> int:
    """Every which frame is looked at."""
    return max(1, round(fps / RATE))


def moves(flows: list[float], frames: int, side: int) -> bool:
    """Whether enough of the flows between so many `frames`, of so many pixels on the short `side`, are large enough."""
    large = sum(flow > PIXELS * side / OF_SIDE for flow in flows)
    return large >= round(PAIRS * frames / OF_FRAMES)
