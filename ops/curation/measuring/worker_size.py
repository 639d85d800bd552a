"""What a worker of curation has to find on a node of a cluster."""

from __future__ import annotations

from collections.abc import Sequence

from ops.config import Curation
from ops.curation.scorers import is_on, scorer_of
from ops.runtime.parallel import Resources

WITHOUT_SCORERS_GIB = 1.5
"""Python, its libraries, a decoder and the frames of one slice."""


def worker_size(curation: Curation, steps: Sequence[str]) -> Resources:
    """Room for the scorers of those of these steps that are switched on, each started once, but never more than a
    process may hold."""
    scorers = {scorer_of(step, curation) for step in steps if is_on(step, curation)}
    memory = WITHOUT_SCORERS_GIB + sum(scorer.memory_gib for scorer in scorers)
    accelerator = curation.accelerator and any(scorer.accelerator for scorer in scorers)
    return Resources(min(memory, curation.memory_limit_gib), accelerator)
