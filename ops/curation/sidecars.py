"""Captions that people wrote: beside a file as .txt or .json, or all in one captions file."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from ops.config import ConfigError
from ops.runtime.project import Project

Captions = tuple[str, ...]
KEYS = ("caption", "captions", "cap", "text")


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


def sidecar(file: Path) -> tuple[Captions, str | None]:
    """Captions beside a file and, when they cannot be read, what is wrong; a .txt holds one caption."""
    text, tree = sidecar_paths(file)
    if text.is_file():
        try:
            caption = " ".join(text.read_text(encoding="utf-8").split())
        except (UnicodeDecodeError, OSError) as error:
            return (), f"{text.name}: {error}"
        return ((caption,), None) if caption else ((), f"{text.name}: is empty")
    if not tree.is_file():
        return (), None
    value, problem = _read_json(tree)
    return ((), problem) if problem else captions_of(value, tree.name)


def captions_of(value: Any, place: str) -> tuple[Captions, str | None]:
    """Captions in a JSON value: a string, a list of strings, or an object with one of these under a known key."""
    if isinstance(value, dict):
        value = next((value[key] for key in KEYS if key in value), [])
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        return (), f"{place}: a caption must be a text or a list of texts"
    if any("\ud800" <= character <= "\udfff" for text in texts for character in text):
        return (), f"{place}: holds half a character (a surrogate without its partner)"
    return tuple(clean for text in texts if (clean := " ".join(text.split()))), None


def _read_json(path: Path) -> tuple[Any, str | None]:
    try:
        return json.loads(path.read_text(encoding="utf-8")), None
    except (ValueError, RecursionError) as error:
        return None, f"{path.name}: not valid JSON: {error}"
    except OSError as error:
        return None, f"{path.name}: {error}"
