"""What curation and a release leave on record, without a frame decoded or a step trained."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from ops.curation.sources.listing import TABLES, listing_fingerprint, remember_listing
from ops.data.blocking_checks import BLOCKING_CHECKS
from ops.data.dataset_version import folder_of
from ops.data.resolved_settings import watched
from ops.data.samples import SAMPLES
from ops.release.champion import ReleaseIdentity
from ops.release.results import ReleaseResults
from ops.release.trace import FILE
from ops.runtime import tables
from ops.runtime.artifacts import Work
from ops.runtime.files import write_json
from ops.runtime.project import Project
from ops.steps import SETTINGS_FILE, STEPS


class Records:
    """A project with one folder of videos, and what is on record of it."""

    def __init__(self, root: Path, inbox: Path) -> None:
        self.root, self.inbox = root, inbox
        self.recipe: dict[str, Any] = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
        self.recipe["sources"] = {"videos": str(inbox), "images": []}
        self.set(automation={"quiet_seconds": 0, "min_new_items": 2})

    @property
    def project(self) -> Project:
        """Read anew, as each tick does."""
        return Project(self.root)

    def set(self, **sections: Any) -> None:
        self.recipe |= sections
        (self.root / "params.yaml").write_text(yaml.safe_dump(self.recipe), encoding="utf-8")

    def arrive(self, name: str) -> None:
        (self.inbox / name).write_bytes(b"")

    def curate(self, version: str, items: Iterable[str], passed: bool = True) -> None:
        """The dataset is current: made of these items, under today's settings, from the files that lie there."""
        project, settings = self.project, watched(self.project.settings)
        hashes = {name: f"{version}-{name}" for name in STEPS} | {"training_set": version}
        stages = {name: {"outs": [{"path": STEPS[name].output, "md5": md5}]} for name, md5 in hashes.items()}
        for name, stage in stages.items():
            stage["params"] = {SETTINGS_FILE: {key: _at(settings, key) for key in STEPS[name].settings}}
        (self.root / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}), encoding="utf-8")
        rows = [dict.fromkeys(SAMPLES.names) | {"sample_id": f"{item}-0", "item_id": item} for item in items]
        tables.write(folder_of(project, version) / "samples.parquet", rows, SAMPLES)
        write_json(folder_of(project, version) / "made_from.json", hashes)
        for name, step in BLOCKING_CHECKS.items():
            outcome = {"name": name, "version": hashes[step], "passed": passed}
            write_json(project.var / "checks" / f"{name}.json", outcome)
        for name, kind in TABLES.items():
            project.table(name).parent.mkdir(exist_ok=True)
            project.table(name).touch()
            remember_listing(project, name, listing_fingerprint(project, kind))

    def release(self, version: str) -> None:
        """A model trained on this version, under today's settings, was decided about."""
        identity = ReleaseIdentity(release=self.project.settings.release)
        work = Work(self.project, "champion", {"training_set": version}, identity, ReleaseResults)
        recorded = {"datasets": {"training_set": version}, "settings": self.project.settings.model_dump(mode="json")}
        write_json(work.folder / FILE, recorded)
        decided = ReleaseResults(
            registered_model="soraflow",
            version=1,
            alias="champion",
            promoted=True,
            decision="version 1 is the first champion",
            reasons=(),
            findings=(),
        )
        work.finish(version, decided)


def _at(tree: Any, key: str) -> Any:
    for part in key.split("."):
        tree = tree[part]
    return tree
