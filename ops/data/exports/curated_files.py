"""Whether a source is still the file that was curated, so that no export puts one picture under another one's hash."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from ops.curation.sources.listing import file_of
from ops.curation.sources.seen_files import SeenFiles
from ops.data.exports.manifest import ExportError
from ops.runtime.project import Project

LATELY = 4096
"""Files that are not looked at again; those of one source come beside each other."""


class CuratedFiles:
    """Each file is looked at when it comes up (`SeenFiles`)."""

    def __init__(self, project: Project) -> None:
        self._project, self._seen = project, SeenFiles(project, "raw_videos", "raw_images")
        self.demand = lru_cache(LATELY)(self._demanded)

    def _demanded(self, root: str, path: str, content: str) -> Path:
        """The file, whose content has this sha256.

        Raises:
            ExportError: it is missing, or has another content by now.
        """
        file = file_of(self._project, root, path)
        if not file.is_file():
            raise ExportError(f"{file} is missing: bring it back, or run the curation again")
        if not self._seen.holds(root, path, content):
            raise ExportError(f"{file} is not what was curated (its content has changed): run the curation again")
        return file
