"""The project's folder as a DVC repository: opened from anywhere, with or without git, shared by processes.

Locks and the run cache are half-private parts of DVC, which is pinned for that reason; only this file and `dvc.py`
touch them.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import yaml

from ops.data import dvc_file
from ops.runtime.files import replacing
from ops.runtime.project import Project
from ops.steps import Step

if TYPE_CHECKING:
    from dvc.repo import Repo
    from dvc.stage import Stage

log = logging.getLogger(__name__)
SECONDS_BETWEEN_TRIES = 0.5
TRIES_TO_READ = 5
SAFE_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""That of libyaml, where PyYAML has it: ten times as fast, and the file is read by every step."""


class LockedFile(TypedDict):
    """What went into a stage, or came out of it."""

    path: str
    md5: str


class LockedStage(TypedDict, total=False):
    """What `dvc.lock` holds of the last run of a stage."""

    cmd: str
    deps: list[LockedFile]
    params: dict[str, dict[str, object]]
    """File → key → value."""
    outs: list[LockedFile]


class BrokenLock(ValueError):
    """A file of DVC's that a crash has left half written; the message says how it comes right again."""


def locked_stages(project: Project) -> dict[str, LockedStage]:
    """Of every stage that has run.

    Raises:
        BrokenLock: when the file is not whole. DVC's own commands write it in place, so it is read again a few times.
    """
    path = project.root / "dvc.lock"
    for _ in range(TRIES_TO_READ):
        try:
            return (yaml.load(path.read_text(encoding="utf-8"), Loader=SAFE_LOADER) or {}).get("stages") or {}
        except FileNotFoundError:
            return {}
        except (yaml.YAMLError, UnicodeDecodeError, AttributeError):
            time.sleep(SECONDS_BETWEEN_TRIES / TRIES_TO_READ)
    raise BrokenLock(
        f"{path} is half written: bring it back with `git checkout -- dvc.lock`, or delete it; "
        "`soraflow run` then finds what it knows in DVC's run cache"
    )


def cached_files(project: Project) -> Callable[[str], Path | None]:
    """A function from a DVC hash to the file of that content in the local cache, or None."""
    if not (project.root / ".dvc").is_dir():
        return lambda md5: None
    cache = open_repository(project).cache.local

    def find(md5: str) -> Path | None:
        path = Path(cache.oid_to_path(md5))
        return path if path.is_file() else None

    return find


def prepare(project: Project) -> None:
    """Make the folder a DVC repository with every dataset step as a stage, where it is not one yet."""
    from dvc.repo import Repo

    root = project.root
    if not (root / ".dvc").is_dir():
        subfolder = _in_git(root) and not (root / ".git").exists()
        repo = Repo.init(str(root), no_scm=not _in_git(root), subdir=subfolder)
        with repo.config.edit("repo") as config:
            config["core"].update(analytics=False, autostage=False)
        repo.close()
    if not (root / "dvc.yaml").is_file():
        with replacing(root / "dvc.yaml") as temporary:
            temporary.write_text(dvc_file.text(), encoding="utf-8")


def open_repository(project: Project) -> Repo:
    """The project's repository, which waits for DVC's lock instead of giving up after three seconds.

    DVC is told once, in its local configuration, to do without git where there is none (a project unpacked from an
    archive) and where `data` is a link to another disk: it would write a .gitignore there, and refuses to.

    Raises:
        BrokenLock: when `dvc.lock` is half written, or DVC's file of claims is and a process that it names lives.
    """
    from dvc import dvcfile
    from dvc.repo import Repo

    prepare(project)
    locked_stages(project)
    mend_claims(project)
    dvcfile.modify_yaml = _modified_whole
    if not _in_git(project.root) or not project.data.resolve().is_relative_to(project.root.resolve()):
        without_git = Repo(str(project.root), config={"core": {"no_scm": True}})
        with without_git.config.edit("local") as config:
            config["core"]["no_scm"] = True
        without_git.close()
    repo = Repo(str(project.root), _wait_for_lock=True)
    repo.stage_cache = _run_cache(repo)
    return repo


def address(repo: Repo, step: Step) -> str:
    """The stage's name for DVC; a bare name would be looked up in the current folder's `dvc.yaml`."""
    return f"{os.path.join(repo.root_dir, 'dvc.yaml')}:{step.name}"


def stage_of(repo: Repo, step: Step) -> Stage:
    (stage,) = repo.stage.collect(address(repo, step))
    return stage


@contextmanager
def claimed(repo: Repo, step: Step) -> Iterator[None]:
    """Keep other processes from a step's files while it runs, without locking the whole repository.

    Waits, and says for whom, while another process writes what the step reads or uses what it writes.
    """
    from dvc.lock import LockError
    from dvc.rwlock import rwlock

    stage = stage_of(repo, step)
    reads, writes = ([str(entry.fs_path) for entry in entries] for entries in (stage.deps, stage.outs))
    # DVC claims the same files under this name when it commits; under one name, a claim may be taken twice
    who, hardlink = " ".join(sys.argv), repo.config["core"].get("hardlink_lock", False)
    told = False
    while True:
        claim = rwlock(repo.tmp_dir, repo.fs, who, reads, writes, hardlink)
        try:
            claim.__enter__()
            break
        except LockError as error:
            if not told:
                log.warning("%s waits: %s", step.name, error)
                told = True
            time.sleep(SECONDS_BETWEEN_TRIES)
    try:
        yield
    finally:
        claim.__exit__(None, None, None)


def forget_runs(repo: Repo, step: Step) -> None:
    """Drop what the run cache holds for a step's present inputs."""
    from dvc.stage.cache import _get_stage_hash

    with suppress(FileNotFoundError):
        shutil.rmtree(repo.stage_cache._get_cache_dir(_get_stage_hash(stage_of(repo, step))))


def broken_claims(project: Project) -> Path | None:
    """DVC's file of claims, where it is half written: DVC does not write it in one step."""
    path = project.root / ".dvc" / "tmp" / "rwlock"
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        return path
    return None


def mend_claims(project: Project) -> None:
    """Take a half-written file of claims for an empty one, as all who claimed something have died with it.

    Raises:
        BrokenLock: when a process that is named in what is left of it lives.
    """
    if broken_claims(project) is None:
        return
    import psutil
    from dvc.lock import make_lock

    folder = project.root / ".dvc" / "tmp"
    with make_lock(str(folder / "rwlock.lock"), tmp_dir=str(folder)):  # DVC's own, so that nobody is writing it now
        path = broken_claims(project)
        if path is None:
            return
        named = [int(pid) for pid in re.findall(r'"pid": (\d+)', path.read_text(encoding="utf-8", errors="replace"))]
        living = [str(pid) for pid in named if psutil.pid_exists(pid)]
        if living:
            raise BrokenLock(
                f"{path} is half written, and process {', '.join(living)}, which it names, is alive: wait for it or "
                "end it, then run the same command again"
            )
        log.warning("%s was half written and has been removed: nobody who claimed files in it is alive", path)
        path.unlink()


@contextmanager
def _modified_whole(path: str, fs: object = None) -> Iterator[object]:
    """DVC's `modify_yaml`, by a rename: a reader, or a crash, meets the old file or the new one, never half of it."""
    from dvc.utils.serialize import dump_yaml, parse_yaml_for_update

    file = Path(path)
    data = parse_yaml_for_update(file.read_text(encoding="utf-8") if file.is_file() else "", path)
    yield data
    with replacing(file) as temporary:
        dump_yaml(temporary, data)


def _in_git(root: Path) -> bool:
    return any((folder / ".git").exists() for folder in (root, *root.parents))


def _run_cache(repo: Repo) -> object:
    from dvc.stage import PipelineStage, create_stage
    from dvc.stage.cache import StageCache
    from dvc.stage.loader import StageLoader

    class RunCache(StageCache):  # type: ignore[misc]  # DVC has no types
        """DVC's own takes the current folder for the project's; Dagster calls from anywhere."""

        def _create_stage(self, cache: LockedStage, wdir: str | None = None) -> Stage:
            stage = create_stage(
                PipelineStage,
                repo=self.repo,
                path=os.path.join(self.repo.root_dir, "dvc.yaml"),
                wdir=wdir or self.repo.root_dir,
                cmd=cache["cmd"],
                outs=[out["path"] for out in cache["outs"]],
            )
            StageLoader.fill_from_lock(stage, cache)
            return stage

    return RunCache(repo)
