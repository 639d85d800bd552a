"""A tree as one mapping whose keys are the ways into it: {'a': {'b': 1}} → {'a.b': 1}."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

Inside = Callable[[Any], Mapping[str, Any] | None]
"""What lies in a value, by name; None for a leaf."""


def mapping(value: Any) -> Mapping[str, Any] | None:
    """Only mappings have something inside."""
    return value if isinstance(value, Mapping) else None


def flat(tree: Mapping[str, Any], inside: Inside = mapping) -> dict[str, Any]:
    """Every leaf, in order. What has nothing inside and is no leaf is left out."""
    return dict(_leaves(tree, "", inside))


def _leaves(tree: Mapping[str, Any], way: str, inside: Inside) -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        inner = inside(value)
        if inner is None:
            yield f"{way}{name}", value
        else:
            yield from _leaves(inner, f"{way}{name}.", inside)
