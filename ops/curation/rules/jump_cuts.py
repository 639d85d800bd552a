"""Jump cuts as outliers of a series of LPIPS distances (Open-Sora Plan v1.3, arXiv 2412.00131 §4), and cuts that a
network has found, where the recipe asks one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypedDict

import numpy as np

from ops.catalogue.reasons import Reason
from ops.config import ShotBoundaries, Shots
from ops.curation.rules.reasons import Rejection
from ops.curation.timeline import Timeline, Times


class Cut(NamedTuple):
    """What lies between two pieces: frames [end, begin) are in neither, and there are none at a hard cut."""

    end: int
    begin: int

    @property
    def is_hard(self) -> bool:
        return self.end == self.begin


class Boundaries(TypedDict):
    """The raw score of `shot_boundaries`: of each frame of a slice, 0 to 1."""

    boundary: list[float]
    """How probably a shot ends with it; at a gradual transition, that it is the middle one."""
    transition: list[float]
    """How probably it belongs to a transition."""


def find_cuts(distances: Sequence[float], rule: Shots) -> list[int]:
    """The transitions i (from sampled frame i to i + 1) that are cuts.

    A candidate lies `candidate_z` population standard deviations above the mean; it is a cut when its distance is sure
    by itself, or strong both as an outlier and as a distance. Equal distances have no candidates.
    """
    series = np.asarray(distances, dtype=np.float64)
    if series.size == 0 or np.ptp(series) == 0:
        return []
    z = (series - series.mean()) / series.std()
    strong = (z > rule.strong_z) & (series > rule.strong_distance)
    cut = (z > rule.candidate_z) & ((series > rule.sure_distance) | strong)
    return [int(index) for index in np.flatnonzero(cut)]


def locate(before: int, changes: Sequence[float], returns: Sequence[float], rule: Shots) -> Cut | None:
    """Where between two sampled frames a cut lies; `changes` and `returns` are those from frame `before` on.

    A hard cut is one change that stands out among the others: the next piece begins with the frame after it, and no
    frame is lost. Where none stands out the change is gradual, or two frames were blended: the gap goes, and the two
    sampled frames with it. It is no cut at all where the picture from before it comes back at once: that is a flash.
    """
    jump = int(np.argmax(changes))
    if returns[jump] < rule.flash_share * changes[jump]:
        return None
    others = max((*changes[:jump], *changes[jump + 1 :]), default=0.0)
    if changes[jump] >= rule.hard_ratio * others:
        return Cut(before + jump + 1, before + jump + 1)
    return Cut(before, before + len(changes) + 1)


def boundary_cuts(start: int, found: Boundaries, rule: ShotBoundaries) -> list[Cut]:
    """Where shots end by the probabilities of the frames from `start` on, in order.

    No frame is lost at a hard cut. Around the middle of a gradual one all frames go that more probably belong to the
    transition than `rule.probability`.
    """
    ends = np.asarray(found["boundary"]) > rule.probability
    inside = ends | (np.asarray(found["transition"]) > rule.probability)
    edges = np.flatnonzero(np.diff(inside, prepend=False, append=False)).tolist()
    runs = [run for run in zip(edges[::2], edges[1::2], strict=True) if ends[slice(*run)].any()]
    return [Cut(start + (first if after - first > 1 else after), start + after) for first, after in runs]


def pieces(start: int, end: int, cuts: Sequence[Cut]) -> list[tuple[int, int]]:
    """[start, end) of what is left between cuts, which are in order."""
    bounds = [start, *(bound for cut in cuts for bound in cut), end]
    return [(first, last) for first, last in zip(bounds[::2], bounds[1::2], strict=True) if first < last]


def counted_frames(frames: int, fps: float, rule: Shots, times: Times | None = None) -> int:
    """The length of a piece as the rule sees it: frames beyond `max_fps` a second do not count. `times` are those of a
    piece at a variable rate."""
    return Timeline(0, frames, fps, times).counted(rule.max_fps)


def length_reason(frames: int, fps: float, rule: Shots, times: Times | None = None) -> Rejection | None:
    """Why a piece of this many frames is out, or None."""
    counted = counted_frames(frames, fps, rule, times)
    told = "1 frame" if counted == 1 else f"{counted} frames"
    rate = f" at {rule.max_fps:g} a second" if counted < frames else ""
    if counted < rule.min_frames:
        return Rejection(Reason.TOO_SHORT, f"{told}{rate} between cuts, fewer than {rule.min_frames}")
    if counted > rule.max_frames:
        return Rejection(Reason.TOO_LONG, f"{told}{rate} without a cut, more than {rule.max_frames}")
    return None
