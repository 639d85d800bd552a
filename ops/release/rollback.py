"""Back to the champion before this one."""

from __future__ import annotations

from datetime import UTC, datetime

from ops.release.history import remember_reign
from ops.release.registry import CHAMPION, PREVIOUS, Registry, UnknownVersion
from ops.runtime.project import Project


def rollback(project: Project) -> tuple[int, int]:
    """Swap the aliases `champion` and `previous`; returns their version numbers as they are then.

    Both versions keep a tag that says so. Doing it twice leads back.

    Raises:
        UnknownVersion: there is no champion, or none before it.
    """
    registry = Registry(project)
    champion = registry.version(CHAMPION)
    previous = registry.aliased(PREVIOUS)
    if previous is None:
        raise UnknownVersion(f"{registry.model} version {champion.number} is the first champion: there is none before")
    now = datetime.now(UTC).isoformat(timespec="seconds")
    registry.point(CHAMPION, previous)
    registry.point(PREVIOUS, champion)
    remember_reign(registry, previous)
    registry.tag(previous, {"rollback": f"champion again since {now}, instead of version {champion.number}"})
    registry.tag(champion, {"rollback": f"rolled back on {now} to version {previous.number}"})
    return previous.number, champion.number
