"""VBench's static filter: of the videos for temporal flickering only those count in which nothing moves.

Flow between adjacent frames, and between the last and the first in both directions; without it models whose videos
move score lower than officially.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise

from ops.metrics.base import Frames
from ops.metrics.networks.flow import SHORTEST, strongest
from ops.runtime.project import Project

SHARE = 0.02
"""Of the flow, the largest."""
PIXELS, OF_SIDE = 3.0, 256
PAIRS, OF_FRAMES = 2, 16
KEPT = 5
"""Static videos of a prompt, at most."""


def static_filter(project: Project) -> Callable[[Frames], bool]:
    """Whether a video is static.

    Raises:
        MissingWeights: those of RAFT are not here.
    """
    from models.metrics.raft import load_raft
    from ops.weights.checkpoints import network

    raft = network(project, "raft", load_raft)

    def is_static(frames: Frames) -> bool:
        if len(frames) < 2 or min(frames.shape[1:3]) < SHORTEST:
            raise ValueError(f"the static filter needs two frames of {SHORTEST} pixels a side")
        around = [(frames[0], frames[-1]), (frames[-1], frames[0])]
        adjacent, wrapped = (
            [strongest(raft, before, after, SHARE) for before, after in pairs]
            for pairs in (list(pairwise(frames)), around)
        )
        return stands_still(adjacent, wrapped, len(frames), min(frames.shape[1:3]))

    return is_static


def stands_still(adjacent: Iterable[float], wrapped: Iterable[float], frames: int, side: int) -> bool:
    """From the flow between adjacent frames and between both ends, of so many `frames`, of so many pixels on the short
    `side`."""
    largest, few = PIXELS * side / OF_SIDE, round(PAIRS * frames / OF_FRAMES)
    return sum(flow > largest for flow in adjacent) <= few and all(flow <= largest * few * 2 for flow in wrapped)
