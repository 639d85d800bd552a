"""Dataset steps under DVC: run what changed, commit what ran, say which version lies on disk.

`materialise` and `dvc repro` leave the same state behind, so either may follow the other.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ops.data.dvc_repository import address, claimed, forget_runs, locked_stages, open_repository, stage_of
from ops.data.resolved_settings import are_laid, settings
from ops.runtime.project import Project
from ops.steps import SETTINGS, Step, step

if TYPE_CHECKING:
    from dvc.repo import Repo
    from dvc_data.hashfile.hash_info import HashInfo
    from dvc_data.hashfile.meta import Meta

Action = Literal["unchanged", "restored", "made"]


class MissingVersion(FileNotFoundError):
    """A dataset step that has never been committed in this project."""


@dataclass(frozen=True)
class Version:
    """The output of a step as it lies on disk: `hash` is DVC's, `action` is what it took to get it."""

    hash: str
    action: Action
    files: int
    bytes: int
    seconds: float


def materialise(project: Project, name: str, force: bool = False) -> Version:
    """Bring the output of a dataset step up to date with what lies upstream of it and with its settings.

    Unchanged outputs are left alone, known ones come back from DVC's run cache, others are made and committed.
    `force` makes the output anew. Upstream steps are not run. Inside `dvc repro` (DVC_STAGE is set) the function
    just runs, since DVC commits what it leaves. Another process at work on the same files is waited for.

    Raises:
        UnknownStep: for a name that `ops.steps` lacks.
    """
    wanted, started = step(name), time.monotonic()
    if os.environ.get("DVC_STAGE"):
        wanted.load()(project)
        return _hashed(open_repository(project), wanted, started)
    while True:
        if wanted is not SETTINGS:
            _lay_settings(project)
        repo = open_repository(project)
        with claimed(repo, wanted):
            if wanted is not SETTINGS and not are_laid(project):
                continue  # a run with another recipe was quicker
            action = None if force else _found(repo, wanted)
            if action is None:
                wanted.load()(project)
                repo.commit(address(repo, wanted), force=True)
                if not _inputs_are_watched(wanted):
                    forget_runs(repo, wanted)  # lest `dvc repro` bring an old listing back
                action = "made"
            return _committed(repo, wanted, action, started)


def _lay_settings(project: Project) -> None:
    """Put the recipe where DVC watches it.

    One that `params.yaml` does not say, because it is of one run alone, is not committed: for DVC that is a change,
    which the next run without it, or `dvc repro`, takes back.
    """
    if project.is_of_params():
        materialise(project, SETTINGS.name, force=not are_laid(project))
    elif not are_laid(project):
        with claimed(open_repository(project), SETTINGS):
            settings(project)


def version(project: Project, name: str) -> str:
    """DVC's hash of a step's output, from `dvc.lock`.

    Raises:
        MissingVersion: when the step has not been committed yet.
        BrokenLock: when `dvc.lock` is half written.
    """
    locked = locked_stages(project)
    for out in locked[name].get("outs", []) if name in locked else []:
        if out["path"] == step(name).output:
            return str(out["md5"])
    lock = project.root / "dvc.lock"
    raise MissingVersion(f"{lock} has no version of '{name}': run `soraflow run --select '+{name}'`")


def stale(project: Project) -> dict[str, list[object]]:
    """Step → what changed since its output was committed, as `dvc status` says; empty when all is current."""
    status = open_repository(project).status()
    return {address.rpartition(":")[2]: changes for address, changes in status.items()}


def _found(repo: Repo, wanted: Step) -> Action | None:
    """What can be had without running the function, done; None when it has to run."""
    from dvc.repo import lock_repo
    from dvc.stage.cache import RunCacheNotFoundError

    with lock_repo(repo):
        stage = stage_of(repo, wanted)
        changed = any(stage.changed_entries())
        if not changed and not stage.changed_outs():
            return "unchanged"
        if changed:
            if not _inputs_are_watched(wanted):
                return None
            try:
                repo.stage_cache.restore(stage)
            except RunCacheNotFoundError:
                return None
    repo.commit(address(repo, wanted), force=True)  # what is on disk but not in the cache, too
    return "restored" if changed else "unchanged"


def _inputs_are_watched(wanted: Step) -> bool:
    """Whether DVC sees all that the output depends on; the folders of the sources it does not see."""
    return wanted is SETTINGS or bool(wanted.inputs)


def _committed(repo: Repo, wanted: Step, action: Action, started: float) -> Version:
    from dvc.repo import lock_repo

    with lock_repo(repo):
        (out,) = stage_of(repo, wanted).outs
    return _version(out.hash_info, out.meta, action, started)


def _hashed(repo: Repo, wanted: Step, started: float) -> Version:
    from dvc.repo import lock_repo

    with lock_repo(repo):
        (out,) = stage_of(repo, wanted).outs
        return _version(out.get_hash(), out.get_meta(), "made", started)


def _version(hashed: HashInfo, meta: Meta, action: Action, started: float) -> Version:
    seconds = round(time.monotonic() - started, 3)
    assert hashed.value  # of what has been made
    return Version(hashed.value, action, meta.nfiles or 1, meta.size or 0, seconds)
