"""Finding the files that a recipe names: folders, manifests and installed packages, with what is said of them."""

from __future__ import annotations

import importlib.metadata
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path, PurePosixPath

from ops.catalogue.checks import stays_below
from ops.catalogue.reasons import Reason
from ops.config import ConfigError, ImageCollection, VideoCollection
from ops.curation.rules.reasons import Rejection
from ops.curation.sources.left_out import SUFFIXES, Kind, LeftOut, counted
from ops.curation.sources.sidecars import UTF8, CaptionFile, Facts, Sidecars, captions_of, facts_of, sidecar
from ops.curation.sources.spelling import Spelling
from ops.made_world import clips as made_clips
from ops.made_world import source as made
from ops.runtime.files import digest, write_json
from ops.runtime.licences import package_licence, pattern_against
from ops.runtime.project import Project

_LISTS = (".txt", ".jsonl")
TABLES: dict[str, Kind] = {"raw_videos": "videos", "raw_images": "images"}


@dataclass(frozen=True, slots=True)
class Source:
    """A file that was found, or something that looked like one and has a `problem`."""

    root: str
    """As `resolve_root` takes it."""
    path: str
    """Relative to the root, with forward slashes."""
    problem: Rejection | None = None
    captions: tuple[str, ...] = ()
    caption_error: str | None = None
    """What could not be read of what came with the file."""
    facts: Facts = field(default_factory=Facts)
    collection: str | None = None
    """Of an image: `captioned`, `text` or `people`."""
    beside: tuple[str | None, str | None] = (None, None)
    """The names of the text and the JSON beside the file."""

    def columns(self) -> dict[str, object]:
        """What its table row holds besides root, path and content."""
        row: dict[str, object] = {
            "captions": list(self.captions),
            "caption_error": self.caption_error,
            "licence": self.facts.licence,
        }
        if self.collection is not None:
            row |= {"collection": self.collection, "watermark": self.facts.watermark}
        return row


def resolve_root(project: Project, root: str) -> Path:
    """The folder that a root stands for: `package:NAME` is where that distribution keeps its media.

    The package is found by its list of files and never imported. `made:shapes` is a folder of clips of the made world,
    which are drawn now if they are not there.
    """
    if root.startswith(made.PREFIX):
        return made_clips.ensure(project.var / "made", made.MadeSource.parse(root)).resolve()
    if not root.startswith("package:"):
        folder = Spelling().on_disk(project.root / Path(root).expanduser())
        if not folder.is_dir():
            raise ConfigError(
                f"sources: {folder} is not a folder; name a folder, a .txt or .jsonl manifest, package:NAME, or "
                "made:shapes"
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


@dataclass(frozen=True)
class Listing:
    """Every file of the folders that a recipe names for a kind: as a source, or among those left out."""

    sources: list[Source]
    left_out: tuple[LeftOut, ...]


def find_sources(project: Project, kind: Kind) -> list[Source]:
    """Every file of this kind, collection by collection in the order of the paths; none when the recipe names none.

    Raises:
        ConfigError: a collection does not exist or holds nothing of this kind, or the captions file is missing.
    """
    return listing(project, kind).sources


def listing(project: Project, kind: Kind) -> Listing:
    """The sources of a kind, and what lies beside them and is none. Raises as `find_sources`."""
    captions, sidecars = CaptionFile.of(project), Sidecars()
    found: list[Source] = []
    others: dict[str, str] = {}
    names: dict[str, str] = {}
    for collection in getattr(project.settings.sources, kind):
        for source in _of_collection(project, kind, collection, others):
            if source.problem is None:
                file = str(file_of(project, source.root, source.path))
                if file in names:
                    again = f"is in the collection {names[file]}, which the recipe names first"
                    source = replace(source, problem=Rejection(Reason.DUPLICATE, again))
                names.setdefault(file, collection.path)
            found.append(_admitted(project, _described(project, source, collection, captions, sidecars)))
    return Listing(found, counted(_unused(project, kind, found, others, sidecars)))


def _of_collection(project: Project, kind: Kind, collection: VideoCollection, others: dict[str, str]) -> list[Source]:
    """The sources of a collection; the other files of its folder go into `others`, with their names."""
    named, besides = collection.path, dict[str, str]()
    if named.endswith(_LISTS):
        found = _from_manifest(project, named)
    else:
        folder = resolve_root(project, named)
        found = [Source(named, path, problem) for path, problem in _walk(folder, SUFFIXES[kind], besides)]
    if not found:
        told = [
            f"{each.what}: {each.told}, {each.remedy}"
            for each in counted((name, Path(file)) for file, name in besides.items())
        ]
        holds = f"; it holds {'; '.join(told)}" if told else ""
        raise ConfigError(f"sources.{kind}: {named} holds none of {', '.join(sorted(SUFFIXES[kind]))}{holds}")
    others |= besides
    return sorted(found, key=lambda source: source.path)


def _unused(
    project: Project, kind: Kind, sources: Iterable[Source], others: Mapping[str, str], sidecars: Sidecars
) -> Iterator[tuple[str, Path]]:
    """What is neither a source nor said of one: (name, file). A folder that the recipe names for the other kind, too,
    is told of there as far as that kind is concerned."""
    settings = project.settings.sources
    if not others:
        return
    other: Kind = "images" if kind == "videos" else "videos"
    named = [settings.captions, *(each.path for each in (*settings.videos, *settings.images))]
    read = {str((project.root / Path(path).expanduser()).resolve()) for path in named if path and ":" not in path}
    roots: list[Path] = []
    for each in getattr(settings, other):
        with suppress(ConfigError):  # it does not exist: what is made of that kind will say so
            roots += [] if each.path.endswith(_LISTS) else [resolve_root(project, each.path)]
    used = set(read)
    for source in sources:
        if any(source.beside):
            folder = file_of(project, source.root, source.path).parent
            used |= {str(folder / name) for name in source.beside if name}
    for file in others:
        if os.path.splitext(file)[1].lower() in SUFFIXES[other]:
            used |= {str(path) for path in sidecars.of(Path(file)) if path}
    for file, name in others.items():
        if file not in used:
            path = Path(file)
            media = path.suffix.lower() in SUFFIXES[other]
            if not (media and any(path.is_relative_to(root) for root in roots)):
                yield name, path


def listing_fingerprint(project: Project, kind: Kind | None = None) -> str:
    """A hash of names, sizes and times of all sources of a kind (or of both) and of what came with them; the files
    themselves are not opened."""
    kinds: tuple[Kind, ...] = (kind,) if kind else ("videos", "images")
    files: list[object] = []
    for each in kinds:
        for source in find_sources(project, each):
            path = file_of(project, source.root, source.path) if source.problem is None else None
            beside = (name and _state(path.parent / name) for name in source.beside) if path else ()
            states = [_state(path), *beside] if path else []
            problem = source.problem and source.problem.text
            files.append([source.root, source.path, problem, states, source.columns()])
    captions = project.settings.sources.captions
    return digest([files, _state(project.root / captions) if captions else None])


def listing_changed(project: Project, table: str) -> bool:
    """Whether the sources of `raw_videos` or `raw_images` differ from those that the table was made from."""
    stamp = _stamp(project, table)
    if not project.table(table).is_file() or not stamp.is_file():
        return True
    listed: str = json.loads(stamp.read_text(encoding="utf-8"))["listing"]
    return listed != listing_fingerprint(project, TABLES[table])


def remember_listing(project: Project, table: str, fingerprint: str, left_out: Sequence[LeftOut] = ()) -> None:
    """Say that the table has been made from the listing with this fingerprint, and what was left out of it."""
    told = [each.columns() for each in left_out]
    write_json(_stamp(project, table), {"listing": fingerprint, "left_out": told})


def files_left_out(project: Project, table: str) -> list[LeftOut]:
    """What lay in the folders of `raw_videos` or `raw_images` and was no source when the table was made here."""
    stamp = _stamp(project, table)
    if not stamp.is_file():
        return []
    return [LeftOut(**each) for each in json.loads(stamp.read_text(encoding="utf-8")).get("left_out", [])]


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
    try:
        found = path.stat()
    except OSError:
        return None
    return [found.st_size, found.st_mtime_ns]


def _walk(
    root: Path, suffixes: frozenset[str], others: dict[str, str] | None = None
) -> Iterator[tuple[str, Rejection | None]]:
    """(path, problem) below root; files of other extensions go into `others`, with their names. Links are followed
    after real folders, so that a folder is known by its own name.

    A folder is a row only when there is something to say about it: it cannot be read, or is named like a file.
    """
    seen: dict[Path, str] = {root: "."}
    links: list[Path] = []
    waiting = [root]
    while waiting or links:
        folder = waiting.pop(0) if waiting else links.pop(0)
        if folder.is_symlink():
            target, name = folder.resolve(), _name(root, folder)
            if not target.is_relative_to(root):
                yield name, Rejection(Reason.OUTSIDE, f"a link to {_written_out(str(target))}, outside the folder")
                continue
            if target in seen:
                again = f"a link back to '{seen[target]}', which is read under that name"
                yield name, Rejection(Reason.REPEATED_FOLDER, again)
                continue
        seen[folder.resolve()] = _name(root, folder)
        try:
            entries = sorted(folder.iterdir())
        except OSError as error:
            yield _name(root, folder), Rejection(Reason.UNREADABLE, f"a folder that may not be read: {error.strerror}")
            continue
        for entry in entries:
            if os.path.isdir(entry):  # Path.is_dir would raise on a link whose target is no possible name
                (links if entry.is_symlink() else waiting).append(entry)
                if entry.suffix.lower() in suffixes and not entry.is_symlink():
                    inside = "a folder, whatever its name says; the files in it are looked at one by one"
                    yield _name(root, entry), Rejection(Reason.NOT_A_FILE, inside)
            elif entry.suffix.lower() in suffixes:
                yield _name(root, entry), _problem(root, entry)
            elif entry.is_symlink() and not os.path.exists(entry) and not entry.suffix:
                yield _name(root, entry), _NOWHERE
            elif others is not None:
                others[str(entry)] = _name(root, entry)


_NOWHERE = Rejection(Reason.BROKEN_LINK, "a link that leads nowhere, or in a circle")


def _problem(root: Path, file: Path) -> Rejection | None:
    """What keeps a file from being opened; it is not opened to find out, for a pipe would never answer."""
    try:
        str(file).encode()
        target = file.resolve(strict=True)
    except ValueError:
        return Rejection(Reason.BAD_NAME, "its name is not UTF-8; rename it")
    except PermissionError as error:
        return Rejection(Reason.UNREADABLE, f"may not be looked up: {error.strerror}")
    except (OSError, RuntimeError):
        return _NOWHERE if file.is_symlink() else Rejection(Reason.MISSING, "does not exist")
    if not target.is_relative_to(root):
        return Rejection(Reason.OUTSIDE, f"a path to {_written_out(str(target))}, outside the folder")
    if not target.is_file():
        return Rejection(Reason.NOT_A_FILE, "not a regular file")
    return None if os.access(target, os.R_OK) else Rejection(Reason.UNREADABLE, "may not be read (permissions)")


def _name(root: Path, path: Path) -> str:
    """As a table can hold it: bytes that are not UTF-8 are written out."""
    return _written_out(path.relative_to(root).as_posix())


def _written_out(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode()


def _from_manifest(project: Project, named: str) -> list[Source]:
    """One source a line: a path (.txt) or {"path": …, "caption": …, "licence": …} (.jsonl), relative to the
    manifest's folder."""
    spelling = Spelling()
    manifest = spelling.on_disk(project.root / Path(named).expanduser())
    if not manifest.is_file():
        raise ConfigError(f"sources: the manifest {manifest} does not exist")
    root, folder = str(PurePosixPath(named).parent), manifest.parent.resolve()
    sources = {}
    # not splitlines, for names may hold its rarer line ends (U+2028, form feed)
    for number, line in enumerate(manifest.read_text(UTF8, "surrogateescape").split("\n"), start=1):
        if not line.strip():
            continue
        source = _manifest_line(root, line, f"{manifest}, line {number}", manifest.suffix == ".jsonl")
        path = _as_spelled(spelling, folder, source.path)
        name, problem = _written_out(path), _problem(folder, folder / path)
        sources[name] = replace(source, path=name, problem=problem)
    return list(sources.values())


def _as_spelled(spelling: Spelling, folder: Path, path: str) -> str:
    """A path of a manifest as the disk spells it, and without detours: of `a/../b.mp4`, or of one from the root of the
    disk on, what leads there from the manifest's folder. One that leads out of it stays as it is."""
    found = spelling.on_disk(folder / path)
    if not stays_below(path):
        with suppress(OSError, RuntimeError, ValueError):
            found = found.resolve()
    elif found == folder / path:
        return path
    return found.relative_to(folder).as_posix() if found.is_relative_to(folder) else path


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
    return Source(root, record["path"], None, captions, problem, facts_of(record, place))


def _described(
    project: Project, source: Source, collection: VideoCollection, file: CaptionFile, sidecars: Sidecars
) -> Source:
    """With its captions and licence: what stands beside the file wins over the manifest, and that over the captions
    file and the collection's own words."""
    kind = collection.collection if isinstance(collection, ImageCollection) else None
    general = Facts(" ".join((collection.licence or "").split()) or _licence_of_root(source.root))
    if source.problem is not None:
        return replace(source, facts=source.facts.over(general), collection=kind)
    text, tree = sidecars.of(file_of(project, source.root, source.path))
    beside, problem, facts = sidecar(text, tree)
    facts = facts.over(source.facts).over(general)
    found, missing = file.of_path(source.path)
    captions = beside or source.captions or found
    problems = [problem, facts.problem, source.caption_error, None if captions else missing]
    return replace(
        source,
        captions=captions,
        caption_error="; ".join(each for each in problems if each) or None,
        beside=(text.name if text else None, tree.name if tree else None),
        facts=facts,
        collection=kind,
    )


def _admitted(project: Project, source: Source) -> Source:
    """Rejected, and so never opened, if the recipe excludes its licence."""
    pattern = pattern_against(source.facts.licence, project.settings.curation.exclude_licences)
    if pattern is None or source.problem is not None:
        return source
    licence = source.facts.licence or "no licence that is known"
    text = f"is under {licence}, which curation.exclude_licences leaves out ('{pattern}')"
    return replace(source, problem=Rejection(Reason.LICENCE, text))


@cache
def _licence_of_root(root: str) -> str | None:
    if root.startswith(made.PREFIX):
        return made_clips.LICENCE
    return package_licence(root.removeprefix("package:")) if root.startswith("package:") else None
