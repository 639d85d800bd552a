"""The rule that a recipe names, and what a person should know of it."""

from __future__ import annotations

from ops.config import Clipping
from ops.training.clipping.dropping import Dropping
from ops.training.clipping.global_norm import GlobalNorm


def rule_of(settings: Clipping) -> GlobalNorm | Dropping:
    return Dropping(settings) if settings.method == "dropping" else GlobalNorm(settings)


def notes(settings: Clipping, parts: int) -> list[str]:
    """For the log, before a training whose batches fall into so many parts starts."""
    if settings.method != "dropping":
        return []
    alone = ", so that a step is made whole or not at all" if parts == 1 else ""
    return [f"clipping.method 'dropping' looks at {parts} gradient(s) a step{alone}; they are held until all are there"]
