"""Is a file still on its way? A copy that takes minutes must not start a curation for each of its minutes."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ops.curation.sources.listing import file_of, find_sources, listing_changed, resolve_root
from ops.runtime.project import Project


@dataclass(frozen=True)
class Watch:
    """What one look remembers for the next; times in seconds since the epoch."""

    looked: float = 0.0
    waiting_since: float | None = None
    """When files were first seen that the tables do not list and that were not left alone yet."""

    def as_json(self) -> dict[str, float | None]:
        return asdict(self)


@dataclass(frozen=True)
class Look:
    """`changed` names the tables that no longer list what the folders hold; `ready` says that curation may start."""

    watch: Watch
    changed: tuple[str, ...]
    ready: bool
    reason: str


def look(project: Project, before: Watch, now: float) -> Look:
    """Look at the source folders, and say whether what has changed there has come to rest.

    Raises:
        ConfigError: a folder or manifest that the recipe names does not exist or is empty.
    """
    wanted = project.settings.automation
    watch = replace(before, looked=now)
    changed = tuple(name for name in ("raw_videos", "raw_images") if listing_changed(project, name))
    if not changed:
        nothing = "the source folders hold what the tables already list"
        return Look(replace(watch, waiting_since=None), (), False, nothing)
    named = f"new files for {' and '.join(changed)}"
    if is_quiet(project, now):
        return Look(replace(watch, waiting_since=None), changed, True, named)
    since = before.waiting_since or now
    if now - since >= wanted.longest_wait_seconds:
        never = f"{named}; they go on arriving after {wanted.longest_wait_seconds} s (automation.longest_wait_seconds)"
        return Look(replace(watch, waiting_since=None), changed, True, never)
    waits = f"{named}, of which some are still arriving: nothing may change for {wanted.quiet_seconds} s first"
    return Look(replace(watch, waiting_since=since), changed, False, waits)


def is_due(project: Project, before: Watch, now: float) -> bool:
    """Whether it is time to look again: every `watch_seconds`, and sooner while files arrive."""
    wanted = project.settings.automation
    soon = wanted.watch_seconds if before.waiting_since is None else min(wanted.watch_seconds, wanted.quiet_seconds)
    return now - before.looked >= soon


def is_quiet(project: Project, now: float | None = None) -> bool:
    """Whether nothing in the source folders has changed for `automation.quiet_seconds`."""
    return (time.time() if now is None else now) - last_change(project) >= project.settings.automation.quiet_seconds


def last_change(project: Project) -> float:
    """When something below the source folders was written, renamed, added or removed last; 0 when nothing is there.

    By ctime, which a copy that keeps its time stamps cannot set back; files that no table will list count, too,
    because what is on its way often has another name.
    """
    return max((_changed_at(path) for path in _watched(project)), default=0.0)


def _watched(project: Project) -> Iterator[Path]:
    sources = project.settings.sources
    if sources.captions:
        yield project.root / sources.captions
    for kind in ("videos", "images"):
        collections = getattr(sources, kind)
        manifests = [each.path for each in collections if each.path.endswith((".txt", ".jsonl"))]
        for collection in collections:
            if collection.path in manifests:
                yield project.root / Path(collection.path).expanduser()
                continue
            for folder, _, files in os.walk(resolve_root(project, collection.path)):
                yield Path(folder)
                yield from (Path(folder, name) for name in files)
        if manifests:
            for source in find_sources(project, kind):
                if source.problem is None:
                    yield file_of(project, source.root, source.path)


def _changed_at(path: Path) -> float:
    try:
        return path.stat().st_ctime
    except OSError:  # it went away in between; its folder's own time tells so
        return 0.0
