"""Errors of validation in words that name the file, the key and the remedy."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

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
    error: ValidationError, tree: Mapping[str, Any], preset: Path, overrides: Mapping[str, Any], params: Path
) -> str:
    lines = []
    for problem in error.errors():
        keys = [str(part) for part in problem["loc"]]
        named = _named(tree, problem["loc"])
        file = params if _has(overrides, keys) or _has(overrides, named) else preset
        message = told(problem["msg"])
        if problem["type"] == "extra_forbidden":
            close = difflib.get_close_matches(keys[-1], _known_keys(keys[:-1]), n=1)
            message = "unknown key" + (f" (did you mean '{close[0]}'?)" if close else "")
            if moved := MOVED.get(".".join(keys)):
                message = f"is a rule now: set {moved}"
        elif problem["type"] == "missing":
            message = "missing; it has no default"
        lines.append(f"{file}: {'.'.join(named) or 'settings'}: {message}")
    return "\n".join(lines)


def _named(tree: Any, place: tuple[int | str, ...]) -> list[str]:
    """A place in the tree as its key, with the names of items in place of their numbers."""
    keys = []
    for part in place:
        inner = isinstance(tree, list) and isinstance(part, int) and part < len(tree)
        tree = tree[part] if inner else tree.get(part) if isinstance(tree, Mapping) else None
        keys.append((name_of(tree) if inner else "") or str(part))
    return keys


def _has(tree: Any, keys: list[str]) -> bool:
    for key in keys:
        if isinstance(tree, list):  # which replaces the preset's whole
            return True
        if not isinstance(tree, Mapping) or key not in tree:
            return False
        tree = tree[key]
    return bool(keys)


def _known_keys(keys: list[str]) -> list[str]:
    model: Any = Settings
    for key in keys:
        if key.isdigit():
            continue
        model = _section_in(model.model_fields[key].annotation)
        if model is None:
            return []
    return list(model.model_fields)


def _section_in(annotation: Any) -> type[BaseModel] | None:
    """The first section within a type, such as that of the items of a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_section_in, get_args(annotation))), None)
