"""The recipe as resolved from preset and overrides, in a file that DVC can watch value by value."""

from __future__ import annotations

import yaml

from ops.config import RULED_SCORES, Settings
from ops.runtime.files import Document, replacing
from ops.runtime.project import Project
from ops.steps import SETTINGS_FILE, STEPS


def settings(project: Project) -> None:
    with replacing(project.root / SETTINGS_FILE) as temporary:
        temporary.write_text(_text(project), encoding="utf-8")


def are_laid(project: Project) -> bool:
    """Whether the file holds the project's settings, and not an earlier recipe or that of another run."""
    path = project.root / SETTINGS_FILE
    return path.is_file() and path.read_text(encoding="utf-8") == _text(project)


def of_dataset(project: Project) -> dict[str, object]:
    """Key → value of each setting that a step of the dataset reads."""
    tree = watched(project.settings)
    return {key: _at(tree, key) for step in STEPS.values() for key in step.settings}


def _at(tree: Document, key: str) -> object:
    *sections, last = key.split(".")
    for name in sections:
        tree = tree[name]
    return tree[last]


def _text(project: Project) -> str:
    return yaml.safe_dump(watched(project.settings), sort_keys=False, allow_unicode=True)


def watched(settings: Settings) -> Document:
    """The settings with the rules by score, also for scores without one: DVC finds a value by its key only. `cuts` are
    what trainings want of the training set, by names that say where they differ from `dataset`, and of which kinds."""
    tree = settings.model_dump(mode="json")
    nothing = {"minimum": None, "maximum": None}
    rules = {score: settings.curation.rule(score) for score in RULED_SCORES}
    tree["curation"]["rules"] = {score: {**nothing, **(rule.bounds if rule else {})} for score, rule in rules.items()}
    tree["cuts"] = {name: sorted(wanted.kinds) for name, wanted in settings.cuts().items()}
    return tree
