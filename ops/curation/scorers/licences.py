"""Under which licence the weights of a scorer come."""

from __future__ import annotations

from ops.curation.scorers import SCORERS
from ops.runtime.licences import UNKNOWN


def scorer_licence(scorer: str) -> str:
    """The licences of the weights that a scorer reads; `unknown` for one that this version does not have."""
    return "; ".join(dict.fromkeys(SCORERS[scorer].licences().values())) if scorer in SCORERS else UNKNOWN
