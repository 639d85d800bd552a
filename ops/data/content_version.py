"""DVC's name of what lies on the disk, found without opening its repository."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path


def content_version(output: Path) -> str:
    """The hash that DVC commits a file or a folder under. `dvc.lock` says what was committed; this, what is there.

    Raises:
        FileNotFoundError: nothing is there.
    """
    if not output.is_dir():
        return _md5(output)
    files = {file.relative_to(output).as_posix(): file for file in output.rglob("*") if file.is_file()}
    tree = [{"md5": _md5(files[name]), "relpath": name} for name in sorted(files)]
    return hashlib.md5(json.dumps(tree, sort_keys=True).encode(), usedforsecurity=False).hexdigest() + ".dir"


def file_states(output: Path) -> list[tuple[str, int, int, int]]:
    """Name, number, size and time of each file: another list, another content."""
    files = sorted(output.rglob("*")) if output.is_dir() else [output]
    found = ((file.as_posix(), file.stat()) for file in files if file.is_file())
    return [(name, state.st_ino, state.st_size, state.st_mtime_ns) for name, state in found]


def _md5(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
