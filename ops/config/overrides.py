"""Laying settings over a preset."""

from __future__ import annotations

from collections.abc import Mapping

import yaml

from ops.config.rules import RULED_SCORES
from ops.config.section import ConfigError


def merge(base: Mapping[str, object], overrides: Mapping[str, object]) -> dict[str, object]:
    """`base` with `overrides` laid over it, mapping by mapping.

    A list is replaced whole, or, where its items have names, changed item by item: `stages.video.schedule.steps`,
    `curation.rules.aesthetic.minimum`. An item that is set to null is left out; a rule that the list lacks is added.
    """
    return {**base, **{key: _laid_over(key, base.get(key), value) for key, value in overrides.items()}}


def _laid_over(key: str, old: object, value: object) -> object:
    if isinstance(old, Mapping) and isinstance(value, Mapping):
        return merge(old, value)
    if not isinstance(old, list | tuple) or not isinstance(value, Mapping):
        return value
    names = [name_of(item) for item in old]
    strange = [name for name in value if name not in names]
    if strange and key == "rules" and set(strange) <= set(RULED_SCORES):
        order = dict(zip(RULED_SCORES, range(len(RULED_SCORES)), strict=True))
        old = sorted([*old, *({"score": name} for name in strange)], key=lambda rule: order.get(name_of(rule), 99))
        names = [name_of(item) for item in old]
    elif strange:
        known = ", ".join(name for name in names if name) or "they have no names, so write the whole list"
        if key == "rules":
            strange, known = [name for name in strange if name not in RULED_SCORES], ", ".join(RULED_SCORES)
        raise ConfigError(f"{key}: '{strange[0]}' is none of its items: {known}")
    pairs = zip(names, old, strict=True)
    laid = [_laid_over(name, item, value[name]) if name in value else item for name, item in pairs]
    return [item for item in laid if item is not None]


def name_of(item: object) -> str:
    """What an item of a list goes by: a stage's name, the score of a rule."""
    return str(item.get("name") or item.get("score") or "") if isinstance(item, Mapping) else ""


def assign(tree: dict[str, object], assignment: str) -> None:
    """Lay one `a.b.c=value` (value as YAML) into a tree of overrides, in place."""
    key, separator, text = assignment.partition("=")
    if not separator or not key:
        raise ConfigError(f"'{assignment}' is not of the form key.of.setting=value")
    *parents, leaf = key.split(".")
    for parent in parents:
        group = tree.setdefault(parent, {})
        if not isinstance(group, dict):
            raise ConfigError(f"'{key}': '{parent}' is a value, not a group of settings")
        tree = group
    try:
        tree[leaf] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"'{assignment}': the value is not valid YAML: {error}") from None
