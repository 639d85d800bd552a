"""What was decided about a candidate."""

from __future__ import annotations

from typing import Literal

from ops.runtime.artifacts import Record, Results

GateWord = Literal["first", "better", "no worse", "worse", "cannot tell", "not comparable"]
"""What the gate says of a candidate's scores: `first` where there is no champion yet, `not comparable` where a score is
missing, or of another protocol."""


class Compared(Record):
    """The candidate against the champion, prompt by prompt: the mean difference with its 95 % interval, above 0 where
    the candidate is better."""

    champion: int
    """Its version."""
    metric: str
    difference: float
    low: float
    high: float
    prompts: int
    videos: int
    more_videos: int | None
    """About how many would tell, where it cannot be told."""


class ReleaseResults(Results):
    registered_model: str
    version: int
    alias: Literal["champion", "candidate"]
    promoted: bool
    gate: GateWord | None = None
    """The word of the gate about the scores; None of decisions before it had one."""
    decision: str
    """A sentence."""
    reasons: tuple[str, ...]
    findings: tuple[tuple[str, bool, str], ...]
    """Rule, whether it was kept, and in words."""
    compared: Compared | None = None
    preferences: tuple[int, int, int] = (0, 0, 0)
    """Blind answers for the candidate, for the champion, and for neither, as far as they had been given."""
