"""In which shard each tensor of an artifact lies, by its name.

`index.parquet` says it in the order of the shards; a training asks by name. So a folder `index/` lies beside it, made
when it is first asked for (`ops.runtime.table_index`), with `names.npy`, all names in ascending order (bytes), and
`shards.npy`, the number of the shard of each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from ops.runtime import table_index, tables

FORM = 1
"""Raised when an index is laid otherwise; one of another form is made anew."""


class ShardIndex(Mapping[str, str]):
    """Maps names of tensors to files of shards. May be sent to other processes, which map it anew."""

    def __init__(self, table: Path, column: str) -> None:
        """`table` is the index.parquet of an artifact, and `column` the one that names its tensors.

        Raises:
            FileNotFoundError: there is no table.
        """
        self._table, self._column = table, column
        self._files: list[str] = table_index.made(table, FORM, self._write)["shards"]
        self._names, self._shards = (table_index.mapped(table, name) for name in ("names", "shards"))

    def __reduce__(self) -> tuple[type[ShardIndex], tuple[Path, str]]:
        return ShardIndex, (self._table, self._column)

    def __len__(self) -> int:
        return len(self._names)

    def __iter__(self) -> Iterator[str]:
        return (bytes(name).decode() for name in self._names)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and table_index.number_of(name, self._names) is not None

    def __getitem__(self, name: str) -> str:
        number = table_index.number_of(name, self._names)
        if number is None:
            raise KeyError(f"{self._table} has no {self._column} {name}")
        return self._files[int(self._shards[number])]

    def _write(self, folder: Path) -> dict[str, object]:
        names, shards = [np.array([], "S1")], [np.array([], np.uint32)]
        files: dict[str, int] = {}
        for part in tables.parts(self._table, [self._column, "shard"]):
            names.append(np.array(part[self._column].to_numpy(), np.bytes_))
            told = part["shard"].combine_chunks().dictionary_encode()
            numbers = [files.setdefault(file, len(files)) for file in told.dictionary.to_pylist()]
            shards.append(np.array(numbers, np.uint32)[told.indices.to_numpy()])
        named = np.concatenate(names)
        order = np.argsort(named, kind="stable")
        table_index.save(folder, names=named[order], shards=np.concatenate(shards)[order])
        return {"shards": list(files)}
