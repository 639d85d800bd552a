"""Many tensors in few files: safetensors shards of a fixed number of items, written one at a time and read by name."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ops.data.shard_file import ShardFile
from ops.runtime.files import replacing

if TYPE_CHECKING:
    import torch

T = TypeVar("T")
OPEN = 128
"""Files; millions of samples are in more than a process may hold."""


def planned(folder: Path, items: Sequence[T], each: int) -> Iterator[tuple[Path, Sequence[T]]]:
    """The shards of `each` items, the last one of fewer: their files and what lies in them, in order."""
    for number, start in enumerate(range(0, len(items), each)):
        yield folder / f"shard_{number:05d}.safetensors", items[start : start + each]


def write(path: Path, tensors: Mapping[str, torch.Tensor], metadata: dict[str, str] | None = None) -> None:
    """All of a shard or nothing: a file that is there is complete."""
    from safetensors.torch import save_file

    with replacing(path) as temporary:
        save_file(dict(tensors), temporary, metadata=metadata)


class Shards:
    """The shards of a folder, each opened when it is asked for, and kept open while it is among the OPEN last ones. May
    be sent to worker processes, which open them anew."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open: OrderedDict[str, ShardFile] = OrderedDict()
        self._alone = threading.Lock()

    def __reduce__(self) -> tuple[type[Shards], tuple[Path]]:
        return Shards, (self.folder,)

    def get(self, shard: str, *names: str) -> list[torch.Tensor]:
        """Tensors of a shard, on the CPU. Threads may ask at the same time.

        Raises:
            DamagedShard, KeyError: see `ShardFile`.
        """
        return self._file(shard).get(names)

    def _file(self, shard: str) -> ShardFile:
        with self._alone:
            file = self._open.pop(shard, None) or ShardFile(self.folder / shard)
            self._open[shard] = file  # the last one now
            while len(self._open) > OPEN:
                self._open.popitem(last=False)  # it is closed once nobody reads it any more
            return file
