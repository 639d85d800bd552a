"""The rule that a recipe names."""

from __future__ import annotations

from ops.config import Clipping
from ops.training.clipping.dropping import Dropping
from ops.training.clipping.global_norm import GlobalNorm


def rule_of(settings: Clipping) -> GlobalNorm | Dropping:
    return Dropping(settings) if settings.method == "dropping" else GlobalNorm(settings)
