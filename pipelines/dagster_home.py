"""Dagster's home in a project, `var/dagster/`: its settings and its SQLite store; and where its code server listens."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import tempfile
from pathlib import Path

from ops.runtime.files import digest
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


def sockets(project: Project) -> Path:
    """The folder of the project's code server on this machine, which nobody else may enter.

    Not below the project, because a socket's path has at most 107 bytes.
    """
    name = digest([socket.gethostname(), str(project.root.resolve())])[:16]
    folder = Path(tempfile.gettempdir()) / f"soraflow-{os.getuid()}-{name}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if folder.is_symlink() or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PermissionError(f"{folder} belongs to somebody else or is open to others: remove it, or set TMPDIR")
    return folder
