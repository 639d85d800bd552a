"""Errors of validation in words that name the file, the key and the remedy."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

from pydantic import BaseModel, ValidationError

from ops.config.overrides import name_of
from ops.config.section import told
from ops.config.settings import Settings

MOVED = {
    "curation.motion": "curation.rules.motion and, inside the crop, curation.rules.motion_cropped",
    "curation.aesthetics.minimum": "curation.rules.aesthetic.minimum",
    "curation.technical_quality.threshold": "curation.rules.technical.maximum (brisque, niqe) or .minimum (dover)",
}
"""Limits that were settings of their own before there was a list of rules."""


def explain(
    error: ValidationError, tree: Mapping[str, object], preset: Path, overrides: Mapping[str, object], params: Path
) -> str:
    lines = []
    for problem in error.errors():
        place = _in_tree(tree, problem["loc"])
        keys = [str(part) for part in place]
        named = _named(tree, place)
        file = params if _has(overrides, keys) or _has(overrides, named) else preset
        message = told(problem["msg"])
        if problem["type"] == "extra_forbidden":
            close = difflib.get_close_matches(keys[-1], _known_keys(problem["loc"][:-1]), n=1)
            message = "unknown key" + (f" (did you mean '{close[0]}'?)" if close else "")
            if moved := MOVED.get(".".join(keys)):
                message = f"is a rule now: set {moved}"
        elif problem["type"] == "missing":
            message = "missing; it has no default"
        elif problem["type"] == "union_tag_invalid":  # told by a function that is called like the setting
            named.append(problem["ctx"]["discriminator"].strip("_()"))
            message = f"is '{problem['ctx']['tag']}', but must be one of {problem['ctx']['expected_tags']}"
        lines.append(f"{file}: {'.'.join(named) or 'settings'}: {message}")
    return "\n".join(lines)


def _in_tree(tree: object, place: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """A place without what pydantic puts into it where a section may be of several types: the name of that type."""
    kept: list[int | str] = []
    for number, part in enumerate(place, start=1):
        held = _held(tree, part)
        if held or number == len(place) or not isinstance(tree, Mapping):
            kept.append(part)
            tree = held[0] if held else None
    return tuple(kept)


def _named(tree: object, place: tuple[int | str, ...]) -> list[str]:
    """A place in the tree as its key, with the names of items in place of their numbers."""
    keys = []
    for part in place:
        is_list, held = isinstance(tree, list), _held(tree, part)
        tree = held[0] if held else None
        keys.append((name_of(tree) if is_list else "") or str(part))
    return keys


def _held(tree: object, part: int | str) -> tuple[object] | None:
    """What a tree has there; None where it has nothing."""
    if isinstance(tree, list):
        return (tree[part],) if isinstance(part, int) and part < len(tree) else None
    return (tree[part],) if isinstance(tree, Mapping) and part in tree else None


def _has(tree: object, keys: list[str]) -> bool:
    for key in keys:
        if isinstance(tree, list):  # which replaces the preset's whole
            return True
        if not isinstance(tree, Mapping) or key not in tree:
            return False
        tree = tree[key]
    return bool(keys)


def _known_keys(place: tuple[int | str, ...]) -> list[str]:
    sections: list[type[BaseModel]] = [Settings]
    for key in place:
        if isinstance(key, int):
            continue
        fields = [each.model_fields[key] for each in sections if key in each.model_fields]
        if fields:
            sections = [section for field in fields for section in _sections_in(field.annotation)]
        else:  # which of several types it is
            sections = [each for each in sections if key in (field.default for field in each.model_fields.values())]
    return sorted({field for section in sections for field in section.model_fields})


def _sections_in(annotation: object) -> list[type[BaseModel]]:
    """The sections within a type, such as that of the items of a list, or those that it may be one of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [section for each in get_args(annotation) for section in _sections_in(each)]
