"""Jump cuts as outliers of a series of LPIPS distances (Open-Sora Plan v1.3, `spec/curation` §2)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ops.config import Shots


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


def pieces(start: int, end: int, sampled: Sequence[int], cuts: Sequence[int]) -> list[tuple[int, int]]:
    """[start, end) of what is left between cuts.

    A cut lies anywhere between two sampled frames, so the gap between them goes, and one frame each side with it.
    """
    found, begin = [], start
    for cut in cuts:
        found.append((begin, sampled[cut]))
        begin = sampled[cut + 1] + 1
    found.append((begin, end))
    return [(first, last) for first, last in found if first < last]


def length_reason(frames: int, rule: Shots) -> str | None:
    """Why a piece of this many frames is out, or None."""
    if frames < rule.min_frames:
        return f"{frames} frames between cuts, fewer than {rule.min_frames}"
    if frames > rule.max_frames:
        return f"{frames} frames without a cut, more than {rule.max_frames}"
    return None
