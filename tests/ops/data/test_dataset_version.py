"""Versions of the training set: what was made, in a real DVC repository, and stays readable when something newer is."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from ops.data import dataset_version
from ops.data.dvc_repository import cached_files, open_repository
from ops.data.samples import SAMPLES, training_samples
from ops.runtime import tables
from ops.runtime.project import Project
from ops.steps import STEPS


def make(project: Project, captions: list[str]) -> str:
    """What curation leaves behind, with these captions; returns the version of the training set."""
    tables.write(project.table("captions"), [{"caption": caption} for caption in captions], SAMPLES)
    tables.write(
        project.data / "training_set" / "samples.parquet", [{"caption": caption} for caption in captions], SAMPLES
    )
    with open_repository(project) as repo:
        repo.commit(force=True)
    return yaml.safe_load((project.root / "dvc.lock").read_text())["stages"]["training_set"]["outs"][0]["md5"]


@pytest.fixture
def curated(tmp_path: Path, checkout: Path) -> Project:
    """A repository of two steps, captions and training set."""
    shutil.copytree(checkout / "configs", tmp_path / "configs")
    (tmp_path / "params.yaml").write_text("preset: tiny\n")
    stages = {
        "captions": {"cmd": "true", "outs": [STEPS["captions"].output]},
        "training_set": {
            "cmd": "true",
            "deps": [STEPS["captions"].output],
            "outs": [STEPS["training_set"].output],
        },
    }
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    return Project(tmp_path)


def said(project: Project, version: str) -> list[str]:
    return [row["caption"] for row in training_samples(project, version=version)]


def test_a_version_is_read_as_it_was_when_curation_has_replaced_it(curated: Project) -> None:
    old = make(curated, ["a fox"])
    new = make(curated, ["a fox", "a hare"])
    assert said(curated, old) == ["a fox"]
    assert said(curated, new) == ["a fox", "a hare"]
    shutil.rmtree(curated.root / ".dvc" / "cache")
    shutil.rmtree(curated.data)
    assert said(curated, old) == ["a fox"]  # kept, for as long as somebody trains on it


def test_what_a_version_was_made_from_is_kept_with_it(curated: Project) -> None:
    old = make(curated, ["a fox"])
    lock = yaml.safe_load((curated.root / "dvc.lock").read_text())
    captions = lock["stages"]["captions"]["outs"][0]["md5"]
    assert dataset_version.keep(curated, old).made_from == {"captions": captions, "training_set": old}
    make(curated, ["a hare"])
    assert dataset_version.keep(curated, old).made_from == {"captions": captions, "training_set": old}


def test_a_version_that_is_nowhere_is_told_with_its_remedy(curated: Project) -> None:
    make(curated, ["a fox"])
    with pytest.raises(dataset_version.LostVersion, match=r"`dvc fetch training_set`, or make it anew"):
        said(curated, "0123456789abcdef0123456789abcdef.dir")


def test_a_damaged_cache_is_not_taken_for_the_version(curated: Project) -> None:
    version = make(curated, ["a fox"])
    find = cached_files(curated)
    listed = find(version)
    assert listed is not None
    (entry,) = yaml.safe_load(listed.read_text())
    damaged = find(entry["md5"])
    assert damaged is not None
    damaged.chmod(0o644)
    damaged.write_bytes(b"something else")
    with pytest.raises(dataset_version.LostVersion, match="is damaged"):
        said(curated, version)
    assert not (dataset_version.folder_of(curated, version) / "samples.parquet").exists()
