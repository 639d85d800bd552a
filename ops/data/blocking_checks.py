"""The blocking checks: one list for the graph, which stops at them, and for what looks again before it trains or
releases."""

from __future__ import annotations

from ops.data.expectation_suites import SUITES
from ops.data.table_suites import TABLES

BUCKETS = "buckets"
"""The second table of `training_set`, with a check of its own."""
BLOCKING_CHECKS = {**{name: name for name in (*TABLES, *SUITES)}, BUCKETS: "training_set"}
"""Table → the dataset step that writes it, whose version is checked."""
