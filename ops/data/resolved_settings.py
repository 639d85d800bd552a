"""The recipe as resolved from preset and overrides, in a file that DVC can watch value by value."""

from __future__ import annotations

from typing import Any

import yaml

from ops.config import RULED_SCORES, Settings
from ops.runtime.files import replacing
from ops.runtime.project import Project
from ops.steps import SETTINGS_FILE


def settings(project: Project) -> None:
    with replacing(project.root / SETTINGS_FILE) as temporary:
        temporary.write_text(
            yaml.safe_dump(watched(project.settings), sort_keys=False, allow_unicode=True), encoding="utf-8"
        )


def watched(settings: Settings) -> dict[str, Any]:
    """The settings with the rules by score, also for scores without one: DVC finds a value by its key only."""
    tree = settings.model_dump(mode="json")
    nothing = {"minimum": None, "maximum": None}
    rules = {score: settings.curation.rule(score) for score in RULED_SCORES}
    tree["curation"]["rules"] = {score: {**nothing, **(rule.bounds if rule else {})} for score, rule in rules.items()}
    return tree
