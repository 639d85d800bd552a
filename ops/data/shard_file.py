"""A safetensors file read at the places of single tensors.

The library maps a file into memory, and the kernel then reads ahead around each page that is touched: of a shard that
is read here and there it brings four times what is asked for. What lies side by side is one read of its own bytes here
(`python -m benchmarks.shard_reads` measures both).
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypedDict

if TYPE_CHECKING:
    import torch

LENGTH = 8
"""Bytes at the beginning of a file that say how long its header is, little-endian."""
TYPES = {"F32": "float32", "BF16": "bfloat16"}
"""Of `Precision`, as headers call them."""


class DamagedShard(ValueError):
    """A file that is not what was written; the message names it and says what to do."""


class _Entry(TypedDict):
    """What a header says of a tensor; the offsets are from the end of the header."""

    dtype: str
    shape: list[int]
    data_offsets: tuple[int, int]


class _Tensor(NamedTuple):
    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int
    """In bytes of the file."""


class ShardFile:
    """Open as long as anybody holds it; threads may share it."""

    def __init__(self, path: Path) -> None:
        """Raises DamagedShard for a file without a whole header, and for one of other types than `Precision`."""
        self._path, self._file = path, path.open("rb", buffering=0)
        size = os.fstat(self._file.fileno()).st_size
        length = int.from_bytes(self._read(0, LENGTH), "little")
        if LENGTH + length > size:
            raise self._damaged("it has no whole header")
        try:
            header = json.loads(self._read(LENGTH, LENGTH + length))
            header.pop("__metadata__", None)
            self._tensors = {name: _told(told, LENGTH + length) for name, told in header.items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._damaged(f"its header cannot be read: {error}") from error

    def get(self, names: Sequence[str]) -> list[torch.Tensor]:
        """Tensors of these names, on the CPU: one read, if they lie side by side.

        Raises:
            KeyError: there is none of a name.
            DamagedShard: the file ends before one of them does.
        """
        found = [self._tensors[name] for name in names]
        first, last = min(each.start for each in found), max(each.end for each in found)
        if len({each.dtype for each in found}) > 1 or last - first > sum(each.end - each.start for each in found):
            return [tensor for name in names for tensor in self.get([name])]
        content = self._read(first, last)
        return [_tensor(content, each, first) for each in found]

    def _read(self, start: int, end: int) -> bytearray:
        content, done = bytearray(end - start), 0
        while done < len(content):
            count = os.preadv(self._file.fileno(), [memoryview(content)[done:]], start + done)
            if not count:
                raise self._damaged("it ends before its tensors do")
            done += count
        return content

    def _damaged(self, what: str) -> DamagedShard:
        return DamagedShard(f"{self._path} is damaged ({what}): remove its folder and make the asset again")


def _told(told: _Entry, begin: int) -> _Tensor:
    if told["dtype"] not in TYPES:
        raise ValueError(f"a tensor is {told['dtype']}, and only {' and '.join(TYPES)} are written here")
    start, end = told["data_offsets"]
    return _Tensor(told["dtype"], tuple(told["shape"]), begin + start, begin + end)


def _tensor(content: bytearray, told: _Tensor, first: int) -> torch.Tensor:
    """One whose bytes lie in `content`, which begins with those at `first` of the file."""
    import torch

    dtype: torch.dtype = getattr(torch, TYPES[told.dtype])
    count = (told.end - told.start) // dtype.itemsize
    if not count:
        return torch.empty(told.shape, dtype=dtype)
    return torch.frombuffer(content, dtype=dtype, count=count, offset=told.start - first).view(told.shape)
