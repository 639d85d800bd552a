"""The curated project of tests/ops/data with a caption for each item, a training set, and DVC versions."""

from __future__ import annotations

import pytest
import yaml

from ops.data.captions import captions
from ops.data.training_set import training_set
from ops.runtime.project import Project
from ops.steps import STEPS

VERSIONS = {"curated_clips": "c1", "curated_images": "c2", "captions": "c3", "training_set": "c4.dir"}


@pytest.fixture
def dataset(curated: Project) -> Project:
    captions(curated)
    training_set(curated)
    stages = {name: {"cmd": name, "outs": [{"path": STEPS[name].output, "md5": md5}]} for name, md5 in VERSIONS.items()}
    (curated.root / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}))
    return curated
