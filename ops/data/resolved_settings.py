"""The recipe as resolved from preset and overrides, in a file that DVC can watch value by value."""

from __future__ import annotations

import yaml

from ops.runtime.files import replacing
from ops.runtime.project import Project
from ops.steps import SETTINGS_FILE


def settings(project: Project) -> None:
    tree = project.settings.model_dump(mode="json")
    with replacing(project.root / SETTINGS_FILE) as temporary:
        temporary.write_text(yaml.safe_dump(tree, sort_keys=False, allow_unicode=True))
