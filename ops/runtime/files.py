"""Writing so that a reader sees the old file or the new one, never half of either."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

Document = dict[str, Any]
"""An object of JSON as it is read. Which key has a value of which type, knows who wrote it."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends without an error, with the permissions
    that the umask gives to any new file.

    On any error (a full disk, say) the old file stays as it was and the temporary one is removed. What a killed process
    leaves of one is taken over by the next that writes `path`; two at a time wait for each other.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new{path.suffix}")
    claim = _claimed(temporary)
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        os.chmod(temporary, stat.S_IMODE(os.fstat(claim).st_mode))  # some libraries make what they write private
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    finally:
        os.close(claim)
    sync_folder(path.parent)


def _claimed(temporary: Path) -> int:
    """An empty file, locked until what is returned is closed, or its process is no more."""
    while True:
        handle = os.open(temporary, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):  # a network disk without locks
                os.close(handle)
                raise
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), temporary.stat()):
                os.ftruncate(handle, 0)
                return handle
        os.close(handle)  # whoever had it before has renamed or removed it


def sync_folder(folder: Path) -> None:
    """Make a rename within `folder` last through a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path, value: object) -> None:
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def read_json(path: Path) -> Document:
    """The object in a file that `write_json` wrote."""
    found: Document = json.loads(path.read_text(encoding="utf-8"))
    return found


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(value: object) -> str:
    """A hash of a JSON value: equal values, equal hash, whatever the order of their keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
