"""What people say of a file: captions beside it as .txt or .json or all in one captions file, and its licence."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from ops.config import ConfigError
from ops.curation.sources.spelling import Spelling, composed, names_in
from ops.runtime.licences import UNKNOWN
from ops.runtime.project import Project

Captions = tuple[str, ...]
KEYS = ("caption", "captions", "cap", "text")
"""A licence that nothing, or nothing readable, names."""
UTF8 = "utf-8-sig"
"""Without the mark at the beginning that some editors write: it is no part of a caption, and JSON refuses it."""
LICENCE_KEYS = ("licence", "license")
WATERMARK_KEYS = ("pwatermark", "watermark")


@dataclass(frozen=True, slots=True)
class Facts:
    """What else a JSON object says of its file: under which licence it is, and how probable a watermark is (0 to 1),
    as LAION's tables have it. `problem` is what could not be read of them."""

    licence: str | None = None
    watermark: float | None = None
    problem: str | None = None

    def over(self, other: Facts) -> Facts:
        """These, and where they are silent the other's."""
        problems = [each for each in (self.problem, other.problem) if each]
        return Facts(
            self.licence or other.licence,
            other.watermark if self.watermark is None else self.watermark,
            "; ".join(problems) or None,
        )


@dataclass(frozen=True)
class CaptionFile:
    """`sources.captions`: a JSON object {path or file name: caption or list of captions}, whose names are held in their
    composed spelling."""

    captions: dict[str, Captions] = field(default_factory=dict)
    error: str | None = None
    """Why the file cannot be used. It concerns every source that has no caption elsewhere, but stops none."""

    @classmethod
    def of(cls, project: Project) -> CaptionFile:
        named = project.settings.sources.captions
        if named is None:
            return cls()
        path = Spelling().on_disk(project.root / Path(named).expanduser())
        if not path.is_file():
            raise ConfigError(f"sources.captions: {path} does not exist; write it, or set sources.captions to null")
        tree, error = _read_json(path)
        if not isinstance(tree, dict):
            return cls(error=error or f"{path}: must be an object of names and captions")
        read = {name: captions_of(value, f"{path}: '{name}'") for name, value in tree.items()}
        problems = [problem for _, problem in read.values() if problem]
        captions = {composed(name): captions for name, (captions, _) in read.items()}
        return cls(captions, "; ".join(problems) or None)

    def of_path(self, path: str) -> tuple[Captions, str | None]:
        """The captions of a source, by its path or else its file name, and the file's error if there are none."""
        path = composed(path)
        found = self.captions.get(path) or self.captions.get(PurePosixPath(path).name) or ()
        return found, None if found else self.error


class Sidecars:
    """What lies beside files. Extensions count in any case, and names in any spelling of their characters; each folder
    is listed once."""

    TEXTS, TREES = (".txt", ".caption"), (".json",)

    def __init__(self) -> None:
        self._folders: dict[Path, dict[tuple[str, str], str]] = {}

    def of(self, file: Path) -> tuple[Path | None, Path | None]:
        """The text and the JSON beside a file, each where there is one: `a.mp4.txt` speaks of `a.mp4` alone and wins
        over `a.txt`, and that over `a.caption`."""
        beside = self._beside(file.parent)
        text, tree = (
            next(
                (
                    beside[key]
                    for base in (file.name, file.stem)
                    for suffix in kind
                    if (key := (composed(base), suffix)) in beside
                ),
                None,
            )
            for kind in (self.TEXTS, self.TREES)
        )
        return file.parent / text if text else None, file.parent / tree if tree else None

    def _beside(self, folder: Path) -> dict[tuple[str, str], str]:
        """(composed stem, extension in small letters) → name; of several the one in small letters."""
        if folder not in self._folders:
            found: dict[tuple[str, str], str] = {}
            for name in names_in(folder):
                stem, suffix = Path(name).stem, Path(name).suffix.lower()
                if suffix in (*self.TEXTS, *self.TREES) and (folder / name).is_file():
                    found[composed(stem), suffix] = name  # small letters come last in order
            self._folders[folder] = found
        return self._folders[folder]


def sidecar(text: Path | None, tree: Path | None) -> tuple[Captions, str | None, Facts]:
    """Captions beside a file, what is wrong when they cannot be read, and what a .json says besides.

    A text holds one caption and wins over the .json's, which is still asked for the rest.
    """
    value, problem = _read_json(tree) if tree else (None, None)
    name = tree.name if tree else ""
    facts = facts_of(value, name)
    if text:
        return *_only_text(text), facts
    if value is None:
        return (), problem, facts
    return *captions_of(value, name), facts


def facts_of(value: object, place: str) -> Facts:
    """The facts in a JSON object; none in any other value. A licence that is no name is `unknown`, not silence."""
    if not isinstance(value, dict):
        return Facts()
    licence = next((value[key] for key in LICENCE_KEYS if value.get(key) is not None), None)
    watermark = next((value[key] for key in WATERMARK_KEYS if value.get(key) is not None), None)
    problems = []
    if licence is not None:
        if isinstance(licence, str) and licence.strip() and _is_whole(licence):
            licence = " ".join(licence.split())
        else:
            problems.append(f"{place}: a licence must be a name")
            licence = UNKNOWN
    if watermark is not None and not _is_probability(watermark):
        problems.append(f"{place}: a watermark must be a probability from 0 to 1")
        watermark = None
    return Facts(licence, None if watermark is None else float(watermark), "; ".join(problems) or None)


def _only_text(text: Path) -> tuple[Captions, str | None]:
    try:
        caption = " ".join(text.read_text(encoding=UTF8).split())
    except (UnicodeDecodeError, OSError) as error:
        return (), f"{text.name}: {error}"
    return ((caption,), None) if caption else ((), f"{text.name}: is empty")


def captions_of(value: object, place: str) -> tuple[Captions, str | None]:
    """Captions in a JSON value: a string, a list of strings, or an object with one of these under a known key."""
    if isinstance(value, dict):
        value = next((value[key] for key in KEYS if key in value), [])
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        return (), f"{place}: a caption must be a text or a list of texts"
    if not all(_is_whole(text) for text in texts):
        return (), f"{place}: holds half a character (a surrogate without its partner)"
    return tuple(clean for text in texts if (clean := " ".join(text.split()))), None


def _is_whole(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _is_probability(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _read_json(path: Path) -> tuple[object, str | None]:
    try:
        return json.loads(path.read_text(encoding=UTF8)), None
    except (ValueError, RecursionError) as error:
        return None, f"{path.name}: not valid JSON: {error}"
    except OSError as error:
        return None, f"{path.name}: {error}"
