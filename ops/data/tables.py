"""Parquet tables of plain rows, replaced whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
    write_columns(path, pa.Table.from_pylist(rows, schema=schema), schema)


def read(path: Path) -> list[Row]:
    """All rows, in the order in which they were written."""
    return read_columns(path).to_pylist()


def write_columns(path: Path, table: pa.Table, schema: pa.Schema) -> None:
    """Write a table that has the columns of the schema, in any order.

    Series of numbers are stored as their differences (frame numbers) or as they are (scores): compressing them would
    take most of the time of a large table and save little.
    """
    lists = {field.name: field.type.value_type for field in schema if pa.types.is_list(field.type)}
    encoding = {
        f"{name}.list.element": "DELTA_BINARY_PACKED" if pa.types.is_integer(inner) else "PLAIN"
        for name, inner in lists.items()
        if not pa.types.is_string(inner)
    }
    plain = [field.name for field in schema if f"{field.name}.list.element" not in encoding]
    compression = {**dict.fromkeys(plain, "snappy"), **dict.fromkeys(encoding, "none")}
    with replacing(path) as temporary:
        pq.write_table(
            table.select(schema.names).cast(schema),
            temporary,
            use_dictionary=[name for name in plain if pa.types.is_string(schema.field(name).type)],
            column_encoding=encoding or None,
            compression=compression,
        )


def read_columns(path: Path, names: Sequence[str] | None = None) -> pa.Table:
    """The table, or these columns of it, without making a Python object of each value."""
    return pq.read_table(there(path), columns=None if names is None else list(names))


def there(path: Path) -> Path:
    """The path of a table, which exists.

    Raises:
        FileNotFoundError: it does not; the message says how to get it.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: run `soraflow run --select {path.stem}`, or `dvc pull`")
    return path


def kept(rows: Iterable[Row]) -> list[Row]:
    """The rows that no rule has rejected."""
    return [row for row in rows if row["rejected_by"] is None]
