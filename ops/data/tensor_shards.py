"""Many tensors in few files: safetensors shards of a fixed number of items, written one at a time and read by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ops.runtime.files import replacing

if TYPE_CHECKING:
    import torch

T = TypeVar("T")


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
    """The shards of a folder, each opened when it is first asked for. May be sent to worker processes, which open them
    anew."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open: dict[str, Any] = {}

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_open": {}}

    def get(self, shard: str, name: str) -> torch.Tensor:
        """A tensor of a shard, on the CPU."""
        from safetensors import safe_open

        if shard not in self._open:
            self._open[shard] = safe_open(self.folder / shard, framework="pt")
        tensor: torch.Tensor = self._open[shard].get_tensor(name)
        return tensor
