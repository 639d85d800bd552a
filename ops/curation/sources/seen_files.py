"""Whether a source is still the file that was looked at: what is kept by content must not come from another one."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ops.curation.sources.listing import file_of
from ops.runtime import tables
from ops.runtime.files import sha256
from ops.runtime.parallel import Failure
from ops.runtime.project import Project

NO_TIME = np.iinfo(np.int64).min
"""In the place of a time that the table has no number for: no file has it."""
REPLACED = Failure("it has been replaced since it was looked at: run the curation again")


class SeenFiles:
    """A file whose size and time are those in the tables of sources is taken to be the same; any other is hashed, once
    for each state that it is found in."""

    def __init__(self, project: Project, *names: str) -> None:
        """`names` are of `raw_videos` and `raw_images`: those tables are read when the first file is asked about."""
        self._project, self._names = project, names
        self._hashed: dict[tuple[Path, int, int], str] = {}

    @cached_property
    def _seen(self) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """Of every file that is kept the number of its name, ascending, and its size and time (int64 [files, 2])."""
        columns = ["root", "path", "bytes", "mtime_ns"]
        numbers, states = [np.array([], np.uint64)], [np.empty((0, 2), np.int64)]
        for rows in (rows for name in self._names for rows in tables.kept_rows(self._project.table(name), columns)):
            numbers.append(np.array([_number(row["root"], row["path"]) for row in rows], np.uint64))
            told = [[NO_TIME if row[name] is None else row[name] for name in ("bytes", "mtime_ns")] for row in rows]
            states.append(np.array(told, np.int64))
        found = np.concatenate(numbers)
        order = np.argsort(found, kind="stable")
        return found[order], np.concatenate(states)[order]

    def _is_as_seen(self, root: str, path: str, state: tuple[int, int]) -> bool:
        numbers, states = self._seen
        place = int(np.searchsorted(numbers, number := np.uint64(_number(root, path))))
        return place < len(numbers) and numbers[place] == number and tuple(states[place].tolist()) == state

    def holds(self, root: str, path: str, content: str) -> bool:
        """Whether the file is there, with the content of this sha256."""
        file = file_of(self._project, root, path)
        if not file.is_file():
            return False
        found = file.stat()
        state = (found.st_size, found.st_mtime_ns)
        if self._is_as_seen(root, path, state):
            return True
        if (file, *state) not in self._hashed:
            self._hashed[file, *state] = sha256(file)
        return self._hashed[file, *state] == content


def _number(root: str, path: str) -> int:
    """64 bits of a file's name: a dictionary of twenty million names would be gigabytes. That two names have one number
    costs no more than a file that is hashed, unless their sizes and times are the same, too."""
    return int.from_bytes(hashlib.blake2b(f"{root}/{path}".encode(), digest_size=8).digest(), "little")
