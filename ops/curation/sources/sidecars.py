"""What people say of a file: captions beside it as .txt or .json or all in one captions file, and its licence."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from ops.config import ConfigError
from ops.runtime.project import Project

Captions = tuple[str, ...]
KEYS = ("caption", "captions", "cap", "text")
UNKNOWN = "unknown"
"""A licence that nothing, or nothing readable, names."""
UTF8 = "utf-8-sig"
"""Without the mark at the beginning that some editors write: it is no part of a caption, and JSON refuses it."""
LICENCE_KEYS = ("licence", "license")
WATERMARK_KEYS = ("pwatermark", "watermark")


@dataclass(frozen=True)
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
    """`sources.captions`: a JSON object {path or file name: caption or list of captions}."""

    captions: dict[str, Captions] = field(default_factory=dict)
    error: str | None = None
    """Why the file cannot be used. It concerns every source that has no caption elsewhere, but stops none."""

    @classmethod
    def of(cls, project: Project) -> CaptionFile:
        named = project.settings.sources.captions
        if named is None:
            return cls()
        path = project.root / Path(named).expanduser()
        if not path.is_file():
            raise ConfigError(f"sources.captions: {path} does not exist; write it, or set sources.captions to null")
        tree, error = _read_json(path)
        if error is None and not isinstance(tree, dict):
            error = f"{path}: must be an object of names and captions"
        if error is not None:
            return cls(error=error)
        read = {name: captions_of(value, f"{path}: '{name}'") for name, value in tree.items()}
        problems = [problem for _, problem in read.values() if problem]
        return cls({name: captions for name, (captions, _) in read.items()}, "; ".join(problems) or None)

    def of_path(self, path: str) -> tuple[Captions, str | None]:
        """The captions of a source, by its path or else its file name, and the file's error if there are none."""
        found = self.captions.get(path) or self.captions.get(PurePosixPath(path).name) or ()
        return found, None if found else self.error


def sidecar_paths(file: Path) -> tuple[Path, Path]:
    return file.with_suffix(".txt"), file.with_suffix(".json")


def sidecar(file: Path) -> tuple[Captions, str | None, Facts]:
    """Captions beside a file, what is wrong when they cannot be read, and what a .json says besides.

    A .txt holds one caption and wins over the .json's, which is still asked for the rest.
    """
    text, tree = sidecar_paths(file)
    value, problem = _read_json(tree) if tree.is_file() else (None, None)
    facts = facts_of(value, tree.name)
    if text.is_file():
        return *_only_text(text), facts
    if value is None:
        return (), problem, facts
    return *captions_of(value, tree.name), facts


def facts_of(value: Any, place: str) -> Facts:
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


def captions_of(value: Any, place: str) -> tuple[Captions, str | None]:
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


def _is_probability(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _read_json(path: Path) -> tuple[Any, str | None]:
    try:
        return json.loads(path.read_text(encoding=UTF8)), None
    except (ValueError, RecursionError) as error:
        return None, f"{path.name}: not valid JSON: {error}"
    except OSError as error:
        return None, f"{path.name}: {error}"
