"""Why an asset would be made again, field by field: what it would be made from now, against the newest that is here."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ops.config.differences import differences
from ops.runtime.artifacts import Entry, Wanted, entries
from ops.runtime.project import Project

if TYPE_CHECKING:
    from ops.data.dvc_repository import LockedStage

ABSENT = "absent"
LONGEST = 40
HASH = re.compile(r"[0-9a-f]{32,64}(\.dir)?")


@dataclass(frozen=True)
class Change:
    """Something that an asset is made from: an upstream asset's version, or a setting."""

    key: str
    before: object
    now: object

    def __str__(self) -> str:
        return f"{self.key} {_short(self.before)} → {_short(self.now)}"


@dataclass(frozen=True)
class Answer:
    """`version` is that of what lies here: the one that would be found, or the newest that is compared with."""

    asset: str
    would: Literal["be found", "be made again", "be made", "not be made now"]
    version: str | None = None
    changes: tuple[Change, ...] = ()
    note: str | None = None
    """What stands in the way of an answer, or of the work."""


def why(project: Project, asset: str) -> Answer:
    """Of one asset alone, made of what is current here; see `upstream` of `ops.lineage` for what is above it.

    Raises:
        LookupError: for an asset that there is not.
    """
    from ops.steps import STEPS

    return _why_step(project, asset) if asset in STEPS else _why_artifact(project, asset)


def _why_artifact(project: Project, asset: str) -> Answer:
    from ops.lineage import work

    newest = next(entries(project, asset), None)
    try:
        wanted = work(project, asset)
    except (FileNotFoundError, ValueError) as error:
        return Answer(asset, "not be made now", newest.version if newest else None, note=str(error))
    found = next((each for each in entries(project, asset) if each.fingerprint == wanted.fingerprint), None)
    if found:
        return Answer(asset, "be found", found.version)
    if newest is None:
        note = "it was begun and goes on" if wanted.folder.is_dir() else None
        return Answer(asset, "be made", note=note)
    return Answer(asset, "be made again", newest.version, tuple(_changes(newest, wanted)))


def _changes(before: Entry, wanted: Wanted) -> Iterator[Change]:
    """Inputs first, for what is made of other inputs is another thing whatever its settings."""
    for key, (old, new) in differences(before.inputs, wanted.inputs).items():
        yield Change(key, old, new)
    for key, (old, new) in differences(before.settings, wanted.identity.payload()).items():
        if name := wanted.identity.setting(key):
            yield Change(name, old, new)


def _why_step(project: Project, name: str) -> Answer:
    """As DVC sees it: what its output depends on, by `dvc.lock`."""
    from ops.curation.sources.listing import TABLES, listing_changed
    from ops.data.dvc_repository import locked_stages
    from ops.steps import STEPS

    step, stages = STEPS[name], locked_stages(project)
    locked = stages.get(name)
    if locked is None:
        return Answer(name, "be made")
    version = next((out["md5"] for out in locked["outs"] if out["path"] == step.output), None)
    changes = list(_step_changes(project, name, stages))
    if name in TABLES and not changes and listing_changed(project, name):
        changes.append(Change("files of the sources", "as listed", "others"))
    there = (project.root / step.output).exists()
    note = None if there else f"{step.output} is not here: it comes back from DVC's cache, or is made"
    if there and not changes:
        return Answer(name, "be found", version)
    return Answer(name, "be made again", version, tuple(changes), note)


def _step_changes(project: Project, name: str, stages: dict[str, LockedStage]) -> Iterator[Change]:
    from ops.data.resolved_settings import of_dataset
    from ops.steps import SETTINGS_FILE, STEPS

    step, locked = STEPS[name], stages[name]
    if locked["cmd"] != step.command:
        yield Change("command", locked["cmd"], step.command)
    before = {each["path"]: each["md5"] for each in locked.get("deps", ())}
    outputs = {out["path"]: out["md5"] for stage in stages.values() for out in stage.get("outs", ())}
    for asset in step.inputs:
        path = STEPS[asset].output
        if before.get(path) != outputs.get(path):
            yield Change(asset, before.get(path), outputs.get(path))
    today = {key: value for key, value in of_dataset(project).items() if key in step.settings}
    made_under = locked.get("params", {}).get(SETTINGS_FILE, {})
    for key in dict.fromkeys([*made_under, *today]):
        then, now = made_under.get(key), json.loads(json.dumps(today.get(key)))
        for setting, (old, new) in differences(then, now, key).items():
            yield Change(setting, old, new)


def _short(value: object) -> str:
    if value is None:
        return ABSENT
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if HASH.fullmatch(text):
        return f"{text[:7]}…"
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
