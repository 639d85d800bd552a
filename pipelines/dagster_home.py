"""Dagster's home in a project, `var/dagster/`: its settings and its SQLite store."""

from __future__ import annotations

import fcntl
import shutil
from pathlib import Path

from ops.runtime.project import Project

LAST_MADE = Path("schedules") / "schedules.db"


def make(project: Project) -> Path:
    """The home, with the project's `dagster.yaml` and a store that any number of processes may open.

    Two processes that open a home without a store both make it, and can leave two schema versions in one file, after
    which Dagster refuses to open it. So one makes it here while the others wait.
    """
    home = project.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    with (home / "making.lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.copyfile(project.root / "dagster.yaml", home / "dagster.yaml")
        if not (home / LAST_MADE).is_file():
            import dagster as dg

            dg.DagsterInstance.from_config(str(home)).dispose()
    return home
