"""The quality, semantic and total score of VBench (Huang et al. 2024), given only when nothing is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ops.evaluation.vbench.dimensions import DIMENSIONS


class IncompleteScores(ValueError):
    """A total was asked for while dimensions are missing; the message lists them."""


@dataclass(frozen=True)
class Totals:
    """Between 0 and 1 for usual videos; leaderboards print them times 100."""

    quality: float
    semantic: float
    total: float


def totals(raw: Mapping[str, float | None]) -> Totals:
    """The three totals of raw dimension scores.

    Raises:
        IncompleteScores: when a dimension has no score. (The official script counts it as 0, which looks like a
            bad model rather than like a missing measurement.)
    """
    missing = [dimension.name for dimension in DIMENSIONS if raw.get(dimension.name) is None]
    if missing:
        raise IncompleteScores(f"no total without all {len(DIMENSIONS)} dimensions; missing: {', '.join(missing)}")
    quality, semantic = _group(raw, "quality"), _group(raw, "semantic")
    return Totals(quality, semantic, (4 * quality + semantic) / 5)


def _group(raw: Mapping[str, float | None], group: str) -> float:
    weighted, weights = 0.0, 0.0
    for dimension in DIMENSIONS:
        value = raw[dimension.name]
        if dimension.group == group and value is not None:
            weighted += dimension.weight * dimension.normalised(value)
            weights += dimension.weight
    return weighted / weights
