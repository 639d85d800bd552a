"""The scorers: each file holds one, `base` says what they have in common, `registry` knows them by name."""

from ops.curation.scorers.base import Measure, Scorer
from ops.curation.scorers.registry import (
    SCORERS,
    STEPS,
    as_column,
    build,
    demand_weights,
    identity,
    image_identity,
    scorer_of,
)

__all__ = [
    "SCORERS",
    "STEPS",
    "Measure",
    "Scorer",
    "as_column",
    "build",
    "demand_weights",
    "identity",
    "image_identity",
    "scorer_of",
]
