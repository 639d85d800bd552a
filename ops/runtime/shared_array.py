"""Arrays that a worker process writes and its owner reads, without a copy through the pipe between them."""

from __future__ import annotations

import mmap
import os
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Place:
    """Where another process of this machine finds an array; small enough for a pipe."""

    path: str
    shape: tuple[int, ...]

    def write(self, values: Bytes) -> None:
        """Raises ValueError for another shape than the owner made room for."""
        if values.shape != self.shape:
            raise ValueError(f"the pixels are {list(values.shape)}, but {list(self.shape)} were asked for")
        with open(self.path, "r+b") as file:
            _mapped(file.fileno(), self.shape)[...] = values


class SharedArray:
    """Memory without a name in any file system: it is gone with the last process that holds it, however that ends, and
    no limit of /dev/shm is its own. Not in its worker's RLIMIT_DATA."""

    def __init__(self, shape: Sequence[int]) -> None:
        """Of uint8. The descriptor stays open until `array` is called, once the worker has written."""
        self._shape = tuple(shape)
        self._file = os.memfd_create("soraflow pixels")
        os.ftruncate(self._file, prod(self._shape))

    @property
    def place(self) -> Place:
        return Place(f"/proc/{os.getpid()}/fd/{self._file}", self._shape)

    def array(self) -> Bytes:
        """What was written; its memory is freed with the last reference to it."""
        try:
            return _mapped(self._file, self._shape)
        finally:
            self.close()

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _mapped(file: int, shape: tuple[int, ...]) -> Bytes:
    return np.frombuffer(mmap.mmap(file, prod(shape)), np.uint8).reshape(shape)
