"""Whether the dataset that lies here was made under today's settings; answered from `dvc.lock`, without opening it."""

from __future__ import annotations

import json

from ops.config.differences import differences
from ops.data.dvc_repository import locked_stages
from ops.data.resolved_settings import watched
from ops.runtime.project import Project
from ops.steps import SETTINGS_FILE, STEPS

TRAINED_ON = tuple(STEPS)[: tuple(STEPS).index("training_set") + 1]
"""The steps that the training set is made by; the report is for people."""


def changed_settings(project: Project) -> dict[str, tuple[object, object]]:
    """Key → (value that the dataset was made under, value of today) for every setting that its steps read."""
    stages = locked_stages(project)
    today = json.loads(json.dumps(watched(project.settings)))
    changed: dict[str, tuple[object, object]] = {}
    for name in TRAINED_ON:
        if name not in stages:
            continue
        made_under = stages[name].get("params", {}).get(SETTINGS_FILE, {})
        for key, value in made_under.items():
            changed |= differences(value, _at(today, key), key)
    return changed


def _at(tree: object, key: str) -> object:
    for part in key.split("."):
        tree = tree.get(part) if isinstance(tree, dict) else None
    return tree
