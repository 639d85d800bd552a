"""The scorers: each file holds one, `base` says what they have in common, `registry` knows them by name."""

from ops.curation.scorers.base import Measure, Scorer
from ops.curation.scorers.registry import (
    MEASURED_BY,
    SCORERS,
    STEPS,
    as_column,
    build,
    demand_weights,
    identity,
    is_on,
    scorer_of,
    steps_from,
)

__all__ = [
    "MEASURED_BY",
    "SCORERS",
    "STEPS",
    "Measure",
    "Scorer",
    "as_column",
    "build",
    "demand_weights",
    "identity",
    "is_on",
    "scorer_of",
    "steps_from",
]
