"""The values of a score in a table, as far as a report shows them: their range, and how many lie between edges."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ops.curation.runs.funnel import SPAN, lengths
from ops.runtime import tables

Values = NDArray[np.float64]


@dataclass(frozen=True)
class ScoreValues:
    """Of a column of numbers or of lists of them, or `seconds`, which are those of clips; none if the table lacks it.

    With `one_of`, only the last row of those that have the same in that column counts: they share the value.
    """

    table: Path
    column: str
    one_of: str | None = None

    @cached_property
    def range(self) -> tuple[float, float] | None:
        """The lowest and the highest value; None if there is none."""
        found = [(values.min(), values.max()) for sides in self._parts() for values in sides if len(values)]
        return (float(min(low for low, _ in found)), float(max(high for _, high in found))) if found else None

    def counted(self, edges: Values) -> tuple[Values, Values]:
        """How many values lie between these edges, of rows that are kept and of rows that are not."""
        counts = np.zeros((2, len(edges) - 1))
        for sides in self._parts():
            counts += [np.histogram(values, edges)[0] for values in sides]
        return counts[0], counts[1]

    def of_kept(self) -> Values:
        """All values of rows that are kept, each a number."""
        return np.concatenate([np.array([]), *(inside for inside, _ in self._parts())])

    def _parts(self) -> Iterator[tuple[Values, Values]]:
        """Values of kept rows and of others, part by part."""
        names, at, counting = (SPAN if self.column == "seconds" else (self.column,)), 0, self._counting
        if not set(names) <= set(pq.read_schema(tables.there(self.table)).names):
            return
        for part in tables.parts(self.table, [*names, "rejected_by"]):
            kept = pc.is_null(part["rejected_by"]).to_numpy()
            counts = np.full(len(part), True) if counting is None else counting[at : at + len(part)]
            at += len(part)
            column = pa.array(lengths(part)) if self.column == "seconds" else part[self.column]
            yield _numbers(column, kept & counts), _numbers(column, ~kept & counts)

    @cached_property
    def _counting(self) -> NDArray[np.bool_] | None:
        if self.one_of is None or self.one_of not in pq.read_schema(tables.there(self.table)).names:
            return None
        shared = tables.read_columns(self.table, [self.one_of])[self.one_of].combine_chunks()
        codes = shared.dictionary_encode(null_encoding="encode").indices.to_numpy()
        last = np.zeros(codes.max(initial=-1) + 1, np.int64)
        last[codes] = np.arange(len(codes))
        counting = np.full(len(codes), False)
        counting[last] = True
        return counting


def _numbers(column: pa.ChunkedArray | pa.Array, rows: NDArray[np.bool_]) -> Values:
    found = column.filter(pa.array(rows)).drop_null()
    if pa.types.is_list(found.type):
        found = pc.list_flatten(found).drop_null()
    values: Values = found.cast(pa.float64()).to_numpy()
    return values[~np.isnan(values)]
