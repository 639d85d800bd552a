"""What an export consists of: every file with its size and hash, and the dataset versions that it was made from.

`manifest.json` lies beside the files. It is written as they are, so an interrupted export goes on where it was.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypedDict, get_args

from ops.runtime.files import Document, read_json, sha256, write_json

Kind = Literal["annotations", "webdataset"]
NAME = "manifest.json"
SAVED = 64
"""The manifest is written after each file, until there are so many; then once for each of so many parts of them, since
of a hundred thousand files it is as large as some of them."""
FORMAT = 1
"""Raised when the files of an export change their form."""


class ExportError(ValueError):
    """An export that cannot be made; the message names the file or setting and what would help."""


class Entry(TypedDict):
    """Of a file."""

    sha256: str
    bytes: int
    made_from: str
    """A hash of what went into it."""


@dataclass(frozen=True)
class Export:
    """A finished export. `written` of its `files` were made by this call, the others were there already."""

    folder: Path
    items: int
    files: int
    written: int
    bytes: int
    notes: tuple[str, ...] = ()


@dataclass
class Manifest:
    """The content of `manifest.json`. `files` are by their paths below `folder`; `dataset` maps steps to their
    DVC versions; `about` holds counts."""

    folder: Path
    kind: Kind
    dataset: dict[str, str]
    about: Mapping[str, object] = field(default_factory=dict)
    files: dict[str, Entry] = field(default_factory=dict)
    _unsaved: int = 0

    @classmethod
    def at(cls, folder: Path, kind: Kind, dataset: dict[str, str]) -> Manifest:
        """The manifest of a folder, with the files of an earlier export; a new folder has none.

        Raises:
            ExportError: the folder holds something else, or a manifest that lists a path outside the folder.
        """
        manifest = cls(folder, kind, dataset)
        if folder.exists() and not folder.is_dir():
            raise ExportError(f"{folder} is not a folder: name another one")
        if not (folder / NAME).is_file():
            if folder.is_dir() and any(folder.iterdir()):
                raise ExportError(f"{folder} holds files but no {NAME}: name an empty folder or a new one")
            return manifest
        before = _read(folder / NAME)
        if before["kind"] != kind:
            raise ExportError(f"{folder} holds an export of kind {before['kind']}: name another folder")
        manifest.files = before["files"]
        for name in manifest.files:
            manifest.place(name)
        return manifest

    def place(self, name: str) -> Path:
        """The file of this name.

        Raises:
            ExportError: it would lie outside the folder, perhaps by way of a link.
        """
        path = self.folder / name
        if self.folder.resolve() not in path.resolve().parents:
            raise ExportError(f"{self.folder / NAME}: '{name}' leads outside {self.folder}")
        return path

    def begin(self, planned: Mapping[str, str]) -> list[str]:
        """Compare with what is planned, name → `made_from`, and return the names that have to be written.

        A file that is as the manifest says and made from the same stays. One that an earlier export wrote and that is
        not planned any more is deleted; files that the manifest does not list are never touched.
        """
        for name in planned:
            self.place(name)
        left_over = sorted(set(self.files) - set(planned))
        intact = {name: entry for name, entry in self.files.items() if self._intact(name, planned.get(name))}
        missing = [name for name in planned if name not in intact]
        if missing or left_over:
            self._save(complete=False)  # still lists what is deleted now, lest a killed process leave it unlisted
        for name in left_over:
            self.place(name).unlink(missing_ok=True)
        self.files = intact
        return missing

    def add(self, name: str, made_from: str) -> None:
        """List a file that has been written. What a killed process had not saved of them is written again."""
        path = self.place(name)
        self.files[name] = {"sha256": sha256(path), "bytes": path.stat().st_size, "made_from": made_from}
        self._unsaved += 1
        if self._unsaved * SAVED >= len(self.files):
            self._save(complete=False)
            self._unsaved = 0

    def finish(self, items: int, written: int, about: Mapping[str, object], notes: tuple[str, ...] = ()) -> Export:
        """Say that every planned file is there."""
        self.about = about
        self._save(complete=True)
        size = sum(entry["bytes"] for entry in self.files.values())
        return Export(self.folder, items, len(self.files), written, size, notes)

    def _intact(self, name: str, made_from: str | None) -> bool:
        entry, path = self.files[name], self.place(name)
        return entry["made_from"] == made_from and path.is_file() and sha256(path) == entry["sha256"]

    def _save(self, complete: bool) -> None:
        """Left alone when it says so already: an export that had nothing to do changes no file."""
        tree = {
            "format": FORMAT,
            "kind": self.kind,
            "dataset": self.dataset,
            "complete": complete,
            "files": self.files,
            **self.about,
        }
        path = self.folder / NAME
        if not path.is_file() or json.loads(path.read_text(encoding="utf-8")) != tree:
            write_json(path, tree)


def _read(path: Path) -> Document:
    try:
        tree = read_json(path)
        known = tree["format"] == FORMAT and tree["kind"] in get_args(Kind)
        whole = all(entry.keys() == {"sha256", "bytes", "made_from"} for entry in tree["files"].values())
    except (ValueError, KeyError, TypeError, AttributeError):
        known = whole = False
    if not (known and whole):
        raise ExportError(f"{path} is not a manifest of format {FORMAT}: name an empty folder or a new one")
    return tree
