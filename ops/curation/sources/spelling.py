"""Names as people read them: `é` is one character or two, as the system has it that wrote it, and both are one."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path


def composed(name: str) -> str:
    """The spelling by which names are compared: with composed characters (NFC)."""
    return unicodedata.normalize("NFC", name)


class Spelling:
    """Finds files under another spelling than the one they were asked for by. Each folder is listed once."""

    def __init__(self) -> None:
        self._folders: dict[Path, dict[str, str]] = {}

    def on_disk(self, path: Path) -> Path:
        """The path as the disk spells it; as it was given, if nothing is there under any spelling."""
        try:
            there = os.path.lexists(path)
        except ValueError:  # half a character, or a zero: no possible name
            return path
        if there or path.parent == path:
            return path
        folder = self.on_disk(path.parent)
        return folder / self._names(folder).get(composed(path.name), path.name)

    def _names(self, folder: Path) -> dict[str, str]:
        if folder not in self._folders:
            self._folders[folder] = {composed(name): name for name in names_in(folder)}
        return self._folders[folder]


def names_in(folder: Path) -> list[str]:
    """What a folder holds, in order; nothing, where it may not be read."""
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []
