"""What is made once for given inputs: trained models, cached latents, samples, scores.

An artifact lives in `var/artifacts/<asset>/<fingerprint>/`. The fingerprint hashes everything it is made from, so
the same inputs find the finished work again; `artifact.json`, written last, is what makes it complete.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ops.runtime.files import digest, write_json
from ops.runtime.project import Project


class MissingArtifact(FileNotFoundError):
    """Something upstream has not been made yet."""


@dataclass(frozen=True)
class Artifact:
    """A finished piece of work and what it was made from.

    `inputs` maps the name of each upstream asset to its version; `version` hashes the content, so that the same
    result from other inputs does not wake what lies downstream.
    """

    asset: str
    fingerprint: str
    version: str
    inputs: dict[str, str]
    settings: dict[str, Any]
    results: dict[str, Any]
    folder: Path = field(compare=False)


@dataclass(frozen=True)
class Work:
    """A piece of work still to be done, or done before: its folder is stable, so that it can be resumed."""

    project: Project
    asset: str
    inputs: dict[str, str]
    settings: dict[str, Any]

    @property
    def fingerprint(self) -> str:
        return digest({"asset": self.asset, "inputs": self.inputs, "settings": self.settings})

    @property
    def folder(self) -> Path:
        return self.project.artifacts / self.asset / self.fingerprint

    def finished(self) -> Artifact | None:
        """The artifact, when this work was done before; it becomes the current one."""
        found = self.made()
        if found:
            self._point_here()
        return found

    def made(self) -> Artifact | None:
        """The artifact, when this work was done before; whatever is current stays so."""
        return read(self.folder) if (self.folder / "artifact.json").is_file() else None

    def finish(self, version: str, results: dict[str, Any]) -> Artifact:
        """Declare the folder complete and make it the asset's current artifact."""
        write_json(
            self.folder / "artifact.json",
            {
                "asset": self.asset,
                "fingerprint": self.fingerprint,
                "version": version,
                "inputs": self.inputs,
                "settings": self.settings,
                "results": results,
            },
        )
        self._point_here()
        return read(self.folder)

    def _point_here(self) -> None:
        write_json(self.project.artifacts / self.asset / "current.json", {"fingerprint": self.fingerprint})


def read(folder: Path) -> Artifact:
    return Artifact(**json.loads((folder / "artifact.json").read_text(encoding="utf-8")), folder=folder)


def current(project: Project, asset: str) -> Artifact:
    """The artifact that was made or found last under this name.

    Raises:
        MissingArtifact: when the asset has never been materialised here.
    """
    pointer = project.artifacts / asset / "current.json"
    if not pointer.is_file():
        raise MissingArtifact(f"'{asset}' has not been made yet: run `soraflow run --select '+{asset}'`")
    return read(pointer.parent / json.loads(pointer.read_text(encoding="utf-8"))["fingerprint"])


def find(project: Project, asset: str, version: str) -> Artifact | None:
    """The artifact of that version, the newest if several inputs led to it."""
    return next(find_all(project, asset, version), None)


def find_all(project: Project, asset: str, version: str) -> Iterator[Artifact]:
    """Every artifact of that version, newest first."""
    made = (project.artifacts / asset).glob("*/artifact.json")
    for path in sorted(made, key=lambda path: path.stat().st_mtime, reverse=True):
        artifact = read(path.parent)
        if artifact.version == version:
            yield artifact
