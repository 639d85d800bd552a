"""The project's folder as a DVC repository: opened from anywhere, with or without git, shared by processes.

Locks and the run cache are half-private parts of DVC, which is pinned for that reason; only this file and `dvc.py`
touch them.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from ops.runtime.files import replacing
from ops.runtime.project import Project
from ops.steps import Step, pipeline

if TYPE_CHECKING:
    from dvc.repo import Repo
    from dvc.stage import Stage

log = logging.getLogger(__name__)
SECONDS_BETWEEN_TRIES = 0.5


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
            temporary.write_text(yaml.safe_dump(pipeline(), sort_keys=False), encoding="utf-8")


def open_repository(project: Project) -> Repo:
    """The project's repository, which waits for DVC's lock instead of giving up after three seconds.

    DVC is told once, in its local configuration, to do without git where there is none (a project unpacked from an
    archive) and where `data` is a link to another disk: it would write a .gitignore there, and refuses to.
    """
    from dvc.repo import Repo

    prepare(project)
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


def _in_git(root: Path) -> bool:
    return any((folder / ".git").exists() for folder in (root, *root.parents))


def _run_cache(repo: Repo) -> Any:
    from dvc.stage import PipelineStage, create_stage
    from dvc.stage.cache import StageCache
    from dvc.stage.loader import StageLoader

    class RunCache(StageCache):
        """DVC's own takes the current folder for the project's; Dagster calls from anywhere."""

        def _create_stage(self, cache: dict[str, Any], wdir: str | None = None) -> Stage:
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
