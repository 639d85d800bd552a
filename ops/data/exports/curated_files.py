"""Whether a source is still the file that was curated, so that no export puts one picture under another one's hash."""

from __future__ import annotations

from pathlib import Path

from ops.curation.sources import file_of
from ops.data import tables
from ops.data.exports.manifest import ExportError
from ops.runtime.files import sha256
from ops.runtime.project import Project


class CuratedFiles:
    """A file whose size and time are those that curation saw is taken to be the same; any other is hashed, once."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._seen = {
            (row["root"], row["path"]): (row["bytes"], row["mtime_ns"])
            for name in ("raw_videos", "raw_images")
            for row in tables.kept(tables.read(project.table(name)))
        }
        self._checked: set[tuple[str, str]] = set()

    def demand(self, root: str, path: str, content: str) -> Path:
        """The file, whose content has this sha256.

        Raises:
            ExportError: it is missing, or has another content by now.
        """
        file = file_of(self._project, root, path)
        if (root, path) in self._checked:
            return file
        if not file.is_file():
            raise ExportError(f"{file} is missing: bring it back, or run the curation again")
        state = file.stat()
        if self._seen.get((root, path)) != (state.st_size, state.st_mtime_ns) and sha256(file) != content:
            raise ExportError(f"{file} is not what was curated (its content has changed): run the curation again")
        self._checked.add((root, path))
        return file
