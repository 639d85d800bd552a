"""What differs between two recipes, setting by setting, by the names that `--set` takes."""

from __future__ import annotations

from collections.abc import Mapping

from ops.config.overrides import name_of


def differences(old: object, new: object, key: str = "") -> dict[str, tuple[object, object]]:
    """Key → (old, new) of every setting that is not equal; what only one of the two has is None in the other.

    Items of lists go by their names, such as `stages.video.schedule.steps`, where all have one; other lists are
    compared whole.
    """
    if old == new:
        return {}
    before, after = _named(old), _named(new)
    if before is None or after is None:
        return {key: (old, new)}
    found: dict[str, tuple[object, object]] = {}
    for name in dict.fromkeys([*before, *after]):
        found |= differences(before.get(name), after.get(name), f"{key}.{name}" if key else name)
    return found or {key: (old, new)}  # the same items in another order


def _named(value: object) -> Mapping[str, object] | None:
    if isinstance(value, Mapping):
        return value
    if isinstance(value, list | tuple) and value and all(name_of(item) for item in value):
        return {name_of(item): item for item in value}
    return None
