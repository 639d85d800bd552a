"""Every setting under the name by which `--set` changes it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

import yaml

from ops.config.overrides import name_of
from ops.runtime.flat import flat


def by_name(tree: Mapping[str, object]) -> dict[str, str]:
    """{'a': {'b': 1}, 'stages': [{'name': 'video', 'c': True}]} → {'a.b': '1', 'stages.video.c': 'true'}.

    Values are written as `--set` reads them. A list whose items have no names of their own can only be set whole, and
    is one value; an item's name is no setting of it.
    """
    return {key: _written(value) for key, value in flat(tree, _items).items()}


def _items(value: object) -> Mapping[str, object] | None:
    """What can be set inside a value, by name; None where only the whole can be."""
    if isinstance(value, Mapping):
        return value or None
    if not isinstance(value, list | tuple):
        return None
    named = {name_of(item): item for item in value}
    if not named or "" in named or len(named) < len(value):
        return None
    return {
        name: {key: each for key, each in item.items() if (key, str(each)) not in (("name", name), ("score", name))}
        for name, item in named.items()
    }


def _written(value: object) -> str:
    """Text stays as it is where YAML reads it as that text, and is quoted elsewhere."""
    if not isinstance(value, str):
        return _flow(value)
    try:
        return value if yaml.safe_load(value) == value else _flow(value)
    except yaml.YAMLError:
        return _flow(value)


def _flow(value: object) -> str:
    """JSON, but for what YAML reads otherwise: numbers such as 1e-05, and letters that JSON writes in halves."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_flow(key)}: {_flow(item)}' for key, item in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_flow, value))}]"
    if isinstance(value, float):
        return _number(value)
    return json.dumps(value, ensure_ascii=False)


def _number(value: float) -> str:
    if not math.isfinite(value):
        return {math.inf: ".inf", -math.inf: "-.inf"}.get(value, ".nan")
    digits, exponent, power = repr(value).partition("e")
    return f"{digits}.0e{power}" if exponent and "." not in digits else repr(value)
