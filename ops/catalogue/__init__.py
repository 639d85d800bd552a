"""The catalogue of curation: its steps as they declare themselves, and what derives from all of them together.

Data only; importing it imports nothing heavy, and nothing of the recipe, which derives from it.
"""

from ops.catalogue.clips import CHAIN as CLIP_STEPS
from ops.catalogue.declaration import (
    KINDS,
    Bound,
    CurationStep,
    Kind,
    Measurement,
    RawScore,
    Score,
    ScorerChoice,
    Wording,
)
from ops.catalogue.images import CHAIN as PICTURE_STEPS
from ops.catalogue.lookup import (
    DECIDERS,
    MEASUREMENTS,
    MEASUREMENTS_OF_CLIPS,
    SCORERS,
    SCORES,
    STEPS,
    measured_at,
    scorers_of,
    step_of,
)

__all__ = [
    "CLIP_STEPS",
    "DECIDERS",
    "KINDS",
    "MEASUREMENTS",
    "MEASUREMENTS_OF_CLIPS",
    "PICTURE_STEPS",
    "SCORERS",
    "SCORES",
    "STEPS",
    "Bound",
    "CurationStep",
    "Kind",
    "Measurement",
    "RawScore",
    "Score",
    "ScorerChoice",
    "Wording",
    "measured_at",
    "scorers_of",
    "step_of",
]
