"""Whether a source is still the file that was looked at: what is kept by content must not come from another one."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from ops.curation.sources.listing import file_of
from ops.runtime import tables
from ops.runtime.files import sha256
from ops.runtime.parallel import Failure
from ops.runtime.project import Project

REPLACED = Failure("it has been replaced since it was looked at: run the curation again")


class SeenFiles:
    """A file whose size and time are those in the tables of sources is taken to be the same; any other is hashed, once
    for each state that it is found in."""

    def __init__(self, project: Project, *names: str) -> None:
        """`names` are of `raw_videos` and `raw_images`: those tables are read when the first file is asked about."""
        self._project, self._names = project, names
        self._hashed: dict[tuple[Path, int, int], str] = {}

    @cached_property
    def _seen(self) -> dict[Path, tuple[int, int]]:
        columns = ["root", "path", "bytes", "mtime_ns", "rejected_by"]
        found = (tables.read_columns(self._project.table(name), columns).to_pylist() for name in self._names)
        rows = (row for table in found for row in tables.kept(table))
        return {Path(row["root"], row["path"]): (row["bytes"], row["mtime_ns"]) for row in rows}

    def holds(self, root: str, path: str, content: str) -> bool:
        """Whether the file is there, with the content of this sha256."""
        file = file_of(self._project, root, path)
        if not file.is_file():
            return False
        found = file.stat()
        state = (found.st_size, found.st_mtime_ns)
        if self._seen.get(Path(root, path)) == state:
            return True
        if (file, *state) not in self._hashed:
            self._hashed[file, *state] = sha256(file)
        return self._hashed[file, *state] == content
