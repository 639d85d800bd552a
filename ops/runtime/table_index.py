"""What is asked of a large table by name, laid out beside it in files that are mapped into memory.

A folder beside the table, `index/` or another one, is made once for the table as it is. Opening it reads next to
nothing, and all processes of a node share its pages.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ops.runtime import tables
from ops.runtime.files import Document, read_json, replacing

FOLDER, ABOUT = "index", "about.json"

Write = Callable[[Path], Mapping[str, object]]
"""Writes all files of an index into a folder but `about.json`, and gives what that is to say of them."""


def made(table: Path, form: int, write: Write, name: str = FOLDER) -> Document:
    """What `about.json` says of the index beside a table, which is made now if there is none of this form and of the
    table as it is. Processes that want it at the same time wait for the one that makes it.

    Raises:
        FileNotFoundError: there is no table.
    """
    folder = table.parent / name
    return _about(table, form, folder) or _make(table, form, write, folder)


def save(folder: Path, **arrays: np.ndarray) -> None:
    """Write arrays for `mapped`."""
    for name, array in arrays.items():
        with replacing(folder / f"{name}.npy") as temporary, temporary.open("wb") as file:
            np.save(file, array)


def mapped(table: Path, array: str, name: str = FOLDER) -> np.ndarray:
    """An array of the index beside a table."""
    return np.asarray(np.load(table.parent / name / f"{array}.npy", mmap_mode="r"))


def number_of(name: str, names: NDArray[np.bytes_]) -> int | None:
    """The place of a name among others in ascending order; None if it is none of them."""
    told = name.encode()
    number = int(np.searchsorted(names, np.array(told, names.dtype)))  # a longer one finds no equal
    return number if number < len(names) and bytes(names[number]) == told else None


def _about(table: Path, form: int, folder: Path) -> Document | None:
    path = folder / ABOUT
    if not path.is_file():
        return None
    found = read_json(path)
    return found if (found["form"], found["table"]) == (form, _state(table)) else None


def _make(table: Path, form: int, write: Write, folder: Path) -> Document:
    with replacing(folder / ABOUT) as temporary:  # whoever else wants to make it waits here
        about = _about(table, form, folder)
        if about is None:
            state = _state(table)
            about = {"form": form, "table": state, **write(folder)}
        temporary.write_text(json.dumps(about) + "\n", encoding="utf-8")
    return about


def _state(table: Path) -> list[int]:
    state = tables.there(table).stat()
    return [state.st_size, state.st_mtime_ns]
