"""Lists that are drawn up from all declarations, by the names that columns know them by (`Listed`)."""

from __future__ import annotations

from collections.abc import Mapping

from ops.catalogue.lookup import DECIDERS
from ops.catalogue.reasons import MEANINGS

LISTS: Mapping[str, tuple[str, ...]] = {"deciders": DECIDERS, "reasons": tuple(MEANINGS)}
