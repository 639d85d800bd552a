"""The training set at a version that somebody names, whatever curation has put into its place since.

`data/training_set` is replaced when curation runs, perhaps while a training of the version before goes on. So what
reads a version reads an immutable copy in `var/datasets/VERSION/`, taken from DVC's cache when it is first asked for.
The copies may be deleted while nothing trains; they are taken anew.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from ops.data.dvc import MissingVersion
from ops.data.dvc import version as current_version
from ops.data.dvc_repository import LockedStage, cached_files, locked_stages
from ops.runtime.files import Document, replacing, write_json
from ops.runtime.project import Project
from ops.steps import SETTINGS_FILE, STEPS

TRAINING_SET = "training_set"
MADE_FROM = "made_from.json"
SETTINGS = "settings.json"


class LostVersion(MissingVersion):
    """A version whose files are in DVC's cache no more; the message says how they come back."""


@dataclass(frozen=True)
class DatasetVersion:
    """`folder` holds samples.parquet and buckets.parquet as they were; `made_from` maps each dataset step upstream,
    and `training_set` itself, to its DVC hash, as far as `dvc.lock` told when the copy was taken. `settings` are the
    parts of the recipe that it was made with, such as `dataset`; empty if `dvc.lock` was about another version then."""

    hash: str
    folder: Path
    made_from: dict[str, str]
    settings: Document

    @property
    def samples(self) -> Path:
        return self.folder / "samples.parquet"


def keep(project: Project, version: str) -> DatasetVersion:
    """The training set at this version, copied and compared with its hashes if that has not been done before.

    Raises:
        LostVersion: when DVC's cache lacks it.
    """
    folder = folder_of(project, version)
    if not (folder / MADE_FROM).is_file():
        _copy_all(project, version, folder)
        if locked := _locked_settings(project, version):
            write_json(folder / SETTINGS, locked)
        write_json(folder / MADE_FROM, made_from(project, version))  # last: it says that the copy is whole
    known = json.loads((folder / MADE_FROM).read_text(encoding="utf-8"))
    written = folder / SETTINGS
    settings = json.loads(written.read_text(encoding="utf-8")) if written.is_file() else None
    made_from_steps = {name: known[name] for name in STEPS if name in known}
    return DatasetVersion(version, folder, made_from_steps, settings or _locked_settings(project, version))


def table_of(project: Project, step: str, version: str) -> Path:
    """The table of a step at a version: in DVC's cache, or in data/ as long as it is the current one there.

    Raises:
        LostVersion: when it is neither.
    """
    if found := cached_files(project)(version):
        return found
    if current_version(project, step) == version:
        return project.table(step)
    raise LostVersion(f"version {version} of '{step}' is not in DVC's cache: bring it back with `dvc fetch {step}`")


def folder_of(project: Project, version: str) -> Path:
    """Where the copy of a version lies, or would lie."""
    return project.var / "datasets" / version


def made_from(project: Project, version: str) -> dict[str, str]:
    """Step → DVC hash of everything that this version of the training set was made from, in the order of the steps.

    `dvc.lock` keeps of each step only the last run, with the hashes of what went in; where a step upstream has run
    again since, the way ends at the hash that went in.
    """
    stages, found = locked_stages(project), {TRAINING_SET: version}
    for name in reversed(STEPS):
        if name in found and name in stages and found[name] in [out["md5"] for out in stages[name].get("outs", [])]:
            found |= _inputs(name, stages[name])
    return {name: found[name] for name in STEPS if name in found}


def _locked_settings(project: Project, version: str) -> dict[str, object]:
    """What `dvc.lock` says that this version was made with; nothing, if its last run made another."""
    stage = locked_stages(project).get(TRAINING_SET)
    if stage is None or version not in [out["md5"] for out in stage.get("outs", [])]:
        return {}
    return stage.get("params", {}).get(SETTINGS_FILE, {})


def _inputs(name: str, stage: LockedStage) -> dict[str, str]:
    hashes = {dependency["path"]: dependency["md5"] for dependency in stage.get("deps", []) if "md5" in dependency}
    return {step: hashes[STEPS[step].output] for step in STEPS[name].inputs if STEPS[step].output in hashes}


def _copy_all(project: Project, version: str, folder: Path) -> None:
    find = cached_files(project)
    listing = _found(find(version), version, "its list of files")
    for entry in json.loads(listing.read_text(encoding="utf-8")):
        source, target = _found(find(entry["md5"]), version, entry["relpath"]), folder / entry["relpath"]
        with replacing(target) as temporary:
            shutil.copyfile(source, temporary)
            with temporary.open("rb") as file:
                found = hashlib.file_digest(file, "md5").hexdigest()
            if found != entry["md5"]:
                raise LostVersion(
                    f"{source} in DVC's cache is damaged (its md5 is {found}): delete it, and make it anew with "
                    f"`soraflow run --select {TRAINING_SET}`"
                )


def _found(path: Path | None, version: str, what: str) -> Path:
    if path is None:
        raise LostVersion(
            f"version {version} of '{TRAINING_SET}' is not in DVC's cache ({what} is missing): bring it back with "
            f"`dvc fetch {TRAINING_SET}`, or make it anew with `soraflow run --select {TRAINING_SET}`"
        )
    return path
