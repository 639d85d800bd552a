"""What is made once for given inputs: trained models, cached latents, samples, scores.

An artifact lives in `var/artifacts/<asset>/<fingerprint>/`. The fingerprint hashes everything it is made from, so
the same inputs find the finished work again; `artifact.json`, written last, is what makes it complete.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError
from pydantic.fields import FieldInfo

from ops.config.section import EXECUTION, LATER, Execution
from ops.runtime.files import digest, write_json
from ops.runtime.project import Project

FILE = "artifact.json"


class MissingArtifact(FileNotFoundError):
    """Something upstream has not been made yet."""


class ForeignArtifact(ValueError):
    """An artifact of another version of soraflow, whose results are not what this one knows."""


class Record(BaseModel):
    """A part of what is kept of a piece of work: written and read strictly, and never changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Results(Record):
    """What a piece of work found out. Each kind of work has its own class, beside the function that does it."""

    @classmethod
    def of_json(cls, text: str) -> Self:
        """Raises ValidationError for anything but what `as_json` gives."""
        return cls.model_validate_json(text)

    def as_json(self) -> dict[str, JsonValue]:
        return self.model_dump(mode="json")


class Identity(BaseModel):
    """The settings that decide what a piece of work makes: all that its fingerprint is of, besides its inputs.

    How and where the work is done is not among them, for that may change between attempts at the same: sections of
    `Execution` and settings that are `Executed` are left out wherever they stand, and so are those that came `Later`
    where they are at their defaults.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    def payload(self) -> dict[str, JsonValue]:
        """What is hashed."""
        return self.model_dump(mode="json", exclude=_left_out_of(self))

    def setting(self, key: str) -> str | None:
        """The setting of the recipe that a key of the payload comes from; None when another key tells the same."""
        return key


def _left_out_of(value: object) -> Any:
    """Where what is in no fingerprint stands within a value, as pydantic's `exclude` takes it: nowhere is empty."""
    if isinstance(value, Execution):
        return True
    held: Iterable[tuple[str | int, object]]
    if isinstance(value, BaseModel):
        held = (
            (name, Execution() if _is_left_out(of, getattr(value, name)) else getattr(value, name))
            for name, of in type(value).model_fields.items()
        )
    elif isinstance(value, Mapping):
        held = value.items()
    elif isinstance(value, tuple | list):
        held = enumerate(value)
    else:
        return {}
    return {key: where for key, each in held if (where := _left_out_of(each))}


def _is_left_out(field: FieldInfo, value: object) -> bool:
    return EXECUTION in field.metadata or (LATER in field.metadata and value == field.default)


R = TypeVar("R", bound=Results)
Read = TypeVar("Read", bound=Results, covariant=True)


@dataclass(frozen=True)
class Artifact(Generic[Read]):
    """A finished piece of work and what it was made from.

    `inputs` maps the name of each upstream asset to its version and `settings` is the payload of its identity; the
    fingerprint is of both. `version` hashes the content, so that the same result from other inputs does not wake what
    lies downstream.
    """

    asset: str
    fingerprint: str
    version: str
    inputs: dict[str, str]
    settings: dict[str, JsonValue]
    results: Read
    folder: Path = field(compare=False)


@dataclass(frozen=True)
class Entry:
    """An artifact as it lies on disk, its results unread: what is the same of all kinds."""

    asset: str
    fingerprint: str
    version: str
    inputs: dict[str, str]
    settings: dict[str, JsonValue]
    results: dict[str, JsonValue]
    folder: Path = field(compare=False)

    def of(self, kind: type[R]) -> Artifact[R]:
        """The artifact, with results of this kind.

        Raises:
            ForeignArtifact: when they are not.
        """
        try:
            results = kind.of_json(json.dumps(self.results))
        except ValidationError as error:
            raise ForeignArtifact(
                f"{self.folder / FILE} was written by another version of soraflow ({_told(error)}): remove "
                f"{self.folder} and make it anew with `soraflow run --select {self.asset}`"
            ) from error
        return Artifact(self.asset, self.fingerprint, self.version, self.inputs, self.settings, results, self.folder)


def _told(error: ValidationError) -> str:
    return "; ".join(f"results.{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:3])


@dataclass(frozen=True)
class Wanted:
    """What a piece of work is made from, and where it lies: the folder is stable, so that work can be resumed."""

    project: Project
    asset: str
    inputs: dict[str, str]
    identity: Identity

    @property
    def fingerprint(self) -> str:
        return digest({"asset": self.asset, "inputs": self.inputs, "settings": self.identity.payload()})

    @property
    def folder(self) -> Path:
        return self.project.artifacts / self.asset / self.fingerprint


@dataclass(frozen=True)
class Work(Wanted, Generic[R]):
    """A piece of work still to be done, or done before, with results of this kind."""

    kind: type[R]

    def finished(self) -> Artifact[R] | None:
        """The artifact, when this work was done before; it becomes the current one."""
        found = self.made()
        if found:
            self._point_here()
        return found

    def made(self) -> Artifact[R] | None:
        """The artifact, when this work was done before; whatever is current stays so."""
        return read(self.folder, self.kind) if (self.folder / FILE).is_file() else None

    def finish(self, version: str, results: R) -> Artifact[R]:
        """Declare the folder complete and make it the asset's current artifact."""
        write_json(
            self.folder / FILE,
            {
                "asset": self.asset,
                "fingerprint": self.fingerprint,
                "version": version,
                "inputs": self.inputs,
                "settings": self.identity.payload(),
                "results": results.as_json(),
            },
        )
        self._point_here()
        return read(self.folder, self.kind)

    def _point_here(self) -> None:
        write_json(self.project.artifacts / self.asset / "current.json", {"fingerprint": self.fingerprint})


def read(folder: Path, kind: type[R]) -> Artifact[R]:
    """The artifact of a folder.

    Raises:
        ForeignArtifact: when its results are not of this kind.
    """
    return entry(folder).of(kind)


def entry(folder: Path) -> Entry:
    return Entry(**json.loads((folder / FILE).read_text(encoding="utf-8")), folder=folder)


def current(project: Project, asset: str, kind: type[R]) -> Artifact[R]:
    """The artifact that was made or found last under this name.

    Raises:
        MissingArtifact: when the asset has never been materialised here.
        ForeignArtifact: when its results are not of this kind.
    """
    found = current_entry(project, asset)
    if found is None:
        raise MissingArtifact(f"'{asset}' has not been made yet: run `soraflow run --select '+{asset}'`")
    return found.of(kind)


def current_entry(project: Project, asset: str) -> Entry | None:
    """The same of whatever kind; None when the asset has never been materialised here."""
    pointer = project.artifacts / asset / "current.json"
    if not pointer.is_file():
        return None
    return entry(pointer.parent / json.loads(pointer.read_text(encoding="utf-8"))["fingerprint"])


def find(project: Project, asset: str, version: str, kind: type[R]) -> Artifact[R] | None:
    """The artifact of that version, the newest if several inputs led to it."""
    return next((each.of(kind) for each in entries(project, asset, version)), None)


def entries(project: Project, asset: str, version: str | None = None) -> Iterator[Entry]:
    """Every artifact of that version (None: of any), newest first."""
    made = (project.artifacts / asset).glob(f"*/{FILE}")
    for path in sorted(made, key=lambda path: path.stat().st_mtime, reverse=True):
        found = entry(path.parent)
        if version in (None, found.version):
            yield found
