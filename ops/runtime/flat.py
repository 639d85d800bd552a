"""A tree as one mapping whose keys are the ways into it: {'a': {'b': 1}} → {'a.b': 1}."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

Inside = Callable[[object], Mapping[str, object] | None]
"""What lies in a value, by name; None for a leaf."""


def mapping(value: object) -> Mapping[str, object] | None:
    """Only mappings have something inside."""
    return value if isinstance(value, Mapping) else None


def flat(tree: Mapping[str, object], inside: Inside = mapping) -> dict[str, object]:
    """Every leaf, in order. What has nothing inside and is no leaf is left out."""
    return dict(_leaves(tree, "", inside))


def _leaves(tree: Mapping[str, object], way: str, inside: Inside) -> Iterator[tuple[str, object]]:
    for name, value in tree.items():
        inner = inside(value)
        if inner is None:
            yield f"{way}{name}", value
        else:
            yield from _leaves(inner, f"{way}{name}.", inside)
