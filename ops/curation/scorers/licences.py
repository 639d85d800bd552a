"""Under which licence the weights of a scorer come."""

from __future__ import annotations

from ops import weights
from ops.curation.scorers import SCORERS, text_recognition
from ops.runtime.licences import UNKNOWN


def scorer_licence(scorer: str) -> str:
    """The licences of the weights that a scorer reads; `unknown` for one that this version does not have."""
    if scorer == text_recognition.SCORER:
        licences = [weights.entry(name).licence for name in text_recognition.WEIGHTS]
    elif scorer in SCORERS:
        licences = list(SCORERS[scorer].licences().values())
    else:
        return UNKNOWN
    return "; ".join(dict.fromkeys(licences))
