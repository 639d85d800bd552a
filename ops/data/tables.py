"""Parquet tables of plain rows, replaced whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ops.runtime.files import replacing

Row = dict[str, Any]


def write(path: Path, rows: Iterable[Mapping[str, Any]], schema: pa.Schema) -> None:
    """Write rows; a key outside the schema, or a value of another type, is an error that names it."""
    rows = [dict(row) for row in rows]
    unknown = {key for row in rows for key in row} - set(schema.names)
    if unknown:
        raise ValueError(f"{path.name}: columns {sorted(unknown)} are not in its schema")
    table = pa.Table.from_pylist(rows, schema=schema)
    with replacing(path) as temporary:
        pq.write_table(table, temporary)


def read(path: Path) -> list[Row]:
    """All rows, in the order in which they were written."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: run `soraflow run --select {path.stem}`, or `dvc pull`")
    return pq.read_table(path).to_pylist()


def kept(rows: Iterable[Row]) -> list[Row]:
    """The rows that no rule has rejected."""
    return [row for row in rows if row["rejected_by"] is None]
