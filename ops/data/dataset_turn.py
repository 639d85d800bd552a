"""Whose turn it is to make the dataset: runs whose settings would make other tables wait for each other.

There is one `data/`, so of two runs with different rules each would go on from the other's tables. Runs with the same
settings of the dataset may overlap: what one has made the other finds.
"""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections.abc import Callable

from ops.data.resolved_settings import of_dataset
from ops.runtime.files import digest
from ops.runtime.project import Project

log = logging.getLogger(__name__)
SECONDS_BETWEEN_TRIES = 0.5


class DatasetTurn:
    """Held from `take` to `release`; the kernel takes it from a process that dies."""

    def __init__(self, project: Project) -> None:
        self._path = project.var / "dataset_turn"
        self._settings = digest(of_dataset(project))
        self._handle: int | None = None

    def take(self, say: Callable[[str], None] = log.warning) -> None:
        """Wait until nobody makes the dataset under other settings, and say so if that takes time."""
        if self._handle is not None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        handle, told = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644), False
        while not self._taken(handle):
            if not told:
                say("waits: another run makes the dataset under other settings")
                told = True
            time.sleep(SECONDS_BETWEEN_TRIES)
        self._handle = handle

    def release(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _taken(self, handle: int) -> bool:
        """The lock is shared by those whose settings the file names; who is alone may name others."""
        fcntl.flock(handle, fcntl.LOCK_SH)
        if os.pread(handle, 64, 0).decode() == self._settings:
            return True
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            fcntl.flock(handle, fcntl.LOCK_UN)
            return False
        os.ftruncate(handle, 0)
        os.pwrite(handle, self._settings.encode(), 0)
        fcntl.flock(handle, fcntl.LOCK_SH)  # not atomic: somebody may have been in between
        if os.pread(handle, 64, 0).decode() == self._settings:
            return True
        fcntl.flock(handle, fcntl.LOCK_UN)
        return False
