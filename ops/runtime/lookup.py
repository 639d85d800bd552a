"""What one table says of the rows of another, by a key that both have, without either of them in memory."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ops.runtime import tables

ROW_GROUPS = 2
"""That are held at a time."""


class Lookup:
    """Columns of the kept rows of a table, in the order in which their keys are asked for.

    Only the keys are in memory. A part of what is asked for costs little where it lies together in the table, as it
    does where one step has written both; anywhere else it costs time, not memory.
    """

    def __init__(self, path: Path, key: str, names: Sequence[str], asked: pa.ChunkedArray) -> None:
        """`asked` are all keys that will be asked for, one after the other."""
        self._file, self._names = pq.ParquetFile(tables.there(path), read_dictionary=tables.shared(path)), list(names)
        sizes = [self._file.metadata.row_group(group).num_rows for group in range(self._file.num_row_groups)]
        self._starts = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
        self._rows = _rows(path, key, asked)
        self._group = lru_cache(ROW_GROUPS)(lambda group: self._file.read_row_group(group, self._names))

    def known(self, start: int, count: int) -> NDArray[np.bool_]:
        """bool [count]: which of the keys `start`, `start` + 1, … the table has."""
        found: NDArray[np.bool_] = self._rows[start : start + count] >= 0
        return found

    def rows(self, start: int, count: int) -> pa.Table:
        """What the table says of the keys `start`, `start` + 1, …: nulls where it has no such row."""
        return self.at(np.arange(start, start + count))

    def at(self, asked: NDArray[np.int64]) -> pa.Table:
        """The same of the keys with these numbers."""
        wanted, count = self._rows[asked], len(asked)
        there = np.flatnonzero(wanted >= 0)
        of_group = np.searchsorted(self._starts, wanted[there], "right") - 1
        found, places = [], np.full(count, -1)
        done = 0
        for group in np.unique(of_group).tolist():
            mine = there[of_group == group]
            found.append(self._group(group).take(pa.array(wanted[mine] - self._starts[group])))
            places[mine] = done + np.arange(len(mine))
            done += len(mine)
        empty = self._file.schema_arrow.empty_table().select(self._names)
        whole = pa.concat_tables(found).unify_dictionaries() if found else empty
        return whole.take(pa.array(places, mask=places < 0))


def _rows(path: Path, key: str, asked: pa.ChunkedArray) -> NDArray[np.int64]:
    """int64 [asked]: the row of each key, -1 where no row that is kept has it."""
    table = tables.read_columns(path, [key, "rejected_by"])
    kept = np.flatnonzero(pc.is_null(table["rejected_by"]).to_numpy())
    keys = table[key].cast(pa.string()).take(pa.array(kept))
    place = pc.index_in(asked.cast(pa.string()), value_set=keys)
    found: NDArray[np.int64] = np.append(kept, -1)[pc.fill_null(place, len(kept)).to_numpy()]
    return found
