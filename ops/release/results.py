"""What was decided about a candidate."""

from __future__ import annotations

from typing import Literal

from ops.runtime.artifacts import Results


class ReleaseResults(Results):
    registered_model: str
    version: int
    alias: Literal["champion", "candidate"]
    promoted: bool
    decision: str
    """A sentence."""
    reasons: tuple[str, ...]
    findings: tuple[tuple[str, bool, str], ...]
    """Rule, whether it was kept, and in words."""
