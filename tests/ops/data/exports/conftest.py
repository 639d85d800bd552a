"""The curated project of tests/ops/data with a caption for each item, a training set, and DVC versions."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from ops.data.captions import captions
from ops.data.dataset_version import MADE_FROM, SETTINGS, folder_of
from ops.data.resolved_settings import watched
from ops.data.training_set import training_set
from ops.runtime.files import write_json
from ops.runtime.project import Project
from ops.steps import SETTINGS_FILE, STEPS

VERSIONS = {"raw_videos": "c0", "curated_clips": "c1", "curated_images": "c2", "captions": "c3"}


def lay_version(project: Project, version: str = "c4.dir") -> None:
    """As a run leaves it that has made what lies in data/: committed as this version, and kept."""
    versions = {**VERSIONS, "training_set": version}
    stages: dict[str, Any] = {
        name: {"cmd": name, "outs": [{"path": STEPS[name].output, "md5": md5}]} for name, md5 in versions.items()
    }
    settings = {"dataset": watched(project.settings)["dataset"]}
    stages["training_set"]["params"] = {SETTINGS_FILE: settings}
    (project.root / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}))
    folder = folder_of(project, version)
    shutil.copytree(project.data / "training_set", folder)
    write_json(folder / SETTINGS, settings)
    write_json(folder / MADE_FROM, versions)


@pytest.fixture
def dataset(curated: Project) -> Project:
    captions(curated)
    training_set(curated)
    lay_version(curated)
    return curated


@pytest.fixture
def commit() -> Callable[..., None]:
    return lay_version
