"""Safety: the least probability of a clip's frames that they may be shown at work."""

from __future__ import annotations

from ops.curation.steps.scored_step import pass_on, score_and_decide
from ops.curation.tables import SAFETY
from ops.runtime.project import Project


def safety(project: Project) -> None:
    """Write `safety`: the raw score of every clip still in, and the rule's verdict; no score where the recipe does not
    ask for it."""
    if project.settings.curation.safety.enabled:
        score_and_decide(project, "safety", made_from="technical_quality", score="safety", schema=SAFETY)
    else:
        pass_on(project, "safety", made_from="technical_quality", schema=SAFETY)
