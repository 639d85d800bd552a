"""Parquet tables of plain rows, replaced whole or not at all."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ops.runtime.files import replacing

Row = dict[str, Any]
"""A row as Python objects: the type of a value is that of its column, and null is None."""
SHARED = ("source_id", "root", "path", "sha256")
"""Columns of text that many rows share, beside those that say what made a score."""
GROUP = 65_536
"""Rows of a row group: what `rewrite` holds of a table."""
BATCH = 4_096
"""Rows that are Python objects at a time."""


class UnknownColumns(ValueError):
    """Rows hold what their table has no column for; the message names it."""


def write(path: Path, rows: Iterable[Mapping[str, object]], schema: pa.Schema) -> None:
    """Write rows; a key outside the schema, or a value of another type, is an error that names it."""
    try:
        table = of_rows(rows, schema)
    except UnknownColumns as unknown:
        raise ValueError(f"{path.name}: {unknown}") from None
    write_columns(path, table, schema)


def of_rows(rows: Iterable[Mapping[str, object]], schema: pa.Schema) -> pa.Table:
    """A part of a table of these rows. Raises UnknownColumns for a key outside the schema."""
    rows = [dict(row) for row in rows]
    unknown = {key for row in rows for key in row} - set(schema.names)
    if unknown:
        raise UnknownColumns(f"columns {sorted(unknown)} are not in its schema")
    return pa.Table.from_pylist(rows, schema=schema)


def read(path: Path) -> list[Row]:
    """All rows, in the order in which they were written."""
    rows: list[Row] = read_columns(path).to_pylist()
    return rows


def write_columns(path: Path, table: pa.Table, schema: pa.Schema) -> None:
    """Write a table that has the columns of the schema, in any order."""
    with replacing(path) as temporary:
        _write(temporary, schema, (table.slice(start, GROUP) for start in range(0, max(len(table), 1), GROUP)))


def write_parts(path: Path, parts: Iterable[pa.Table], schema: pa.Schema) -> None:
    """Write a table that comes in parts, each with the columns of the schema. How it was divided leaves no trace, and
    no more of it is in memory than a part and a row group."""
    with replacing(path) as temporary:
        _write(temporary, schema, _row_groups(parts, schema))


def read_columns(path: Path, names: Sequence[str] | None = None) -> pa.Table:
    """The table, or these columns of it, without making a Python object of each value. Texts that many rows share are
    dictionary arrays, which saves most of the time and memory of a large table."""
    columns = None if names is None else list(names)
    return pq.read_table(there(path), columns=columns, read_dictionary=shared(path)).unify_dictionaries()


def names_of(path: Path) -> list[str]:
    """The columns of a table."""
    return list(pq.read_schema(there(path)).names)


def each(path: Path, names: Sequence[str]) -> Iterator[Row]:
    """The rows, with these columns, of a table that need not fit into memory as Python rows."""
    with pq.ParquetFile(there(path)) as file:
        for batch in file.iter_batches(BATCH, columns=list(names)):
            yield from batch.to_pylist()


def parts(path: Path, names: Sequence[str] | None = None, rows: int = GROUP) -> Iterator[pa.Table]:
    """The table, or these columns of it, at most so many rows at a time, none of them empty."""
    with pq.ParquetFile(there(path)) as file:
        for batch in file.iter_batches(rows, columns=None if names is None else list(names)):
            if len(batch):
                yield pa.Table.from_batches([batch])


def rows_at(path: Path, numbers: Sequence[int]) -> list[Row]:
    """A few rows by their numbers, in the order asked for."""
    found: dict[int, Row] = {}
    with pq.ParquetFile(there(path)) as file:
        start = 0
        for group in range(file.num_row_groups):
            end = start + file.metadata.row_group(group).num_rows
            if here := [number for number in numbers if start <= number < end]:
                part = file.read_row_group(group).take(pa.array([number - start for number in here]))
                found |= zip(here, part.to_pylist(), strict=True)
            start = end
    return [found[number] for number in numbers]


def kept_parts(path: Path, names: Sequence[str], rows: int = GROUP) -> Iterator[pa.Table]:
    """These columns of the rows that no rule has rejected, part by part."""
    for part in parts(path, list(dict.fromkeys([*names, "rejected_by"])), rows):
        left = part.filter(pc.is_null(part["rejected_by"]))
        if len(left):
            yield left.select(names)


def kept_rows(path: Path, names: Sequence[str]) -> Iterator[list[Row]]:
    """The same as Python rows, a few thousand at a time."""
    return (part.to_pylist() for part in kept_parts(path, names, BATCH))


def kept_column(path: Path, name: str) -> pa.ChunkedArray:
    """One column of the rows that no rule has rejected."""
    table = read_columns(path, [name, "rejected_by"])
    return table.filter(pc.is_null(table["rejected_by"]))[name]


def rewrite(path: Path, source: Path, new: pa.Table, schema: pa.Schema) -> None:
    """Write the table `source` with the columns of `new` in place of its own or beside them; rows stay as they are.

    Only some ten thousand rows are in memory at a time, so the size of the other columns does not matter. `path` may be
    `source`.
    """
    with pq.ParquetFile(there(source), read_dictionary=shared(source)) as file:
        if file.metadata.num_rows != len(new):
            raise ValueError(f"{source} has {file.metadata.num_rows} rows, but {len(new)} are given for {path.name}")
        old = [name for name in schema.names if name not in new.column_names]
        with replacing(path) as temporary:
            _write(temporary, schema, _beside(file, old, new))


def _row_groups(parts: Iterable[pa.Table], schema: pa.Schema) -> Iterator[pa.Table]:
    """The same rows, `GROUP` at a time; none are one empty group."""
    waiting, rows, written = [schema.empty_table()], 0, False
    for part in parts:
        waiting.append(part.select(schema.names).cast(schema))
        rows += len(part)
        while rows >= GROUP:
            whole = pa.concat_tables(waiting)
            yield whole.slice(0, GROUP).combine_chunks()
            waiting, rows, written = [whole.slice(GROUP)], rows - GROUP, True
    if rows or not written:
        yield pa.concat_tables(waiting).combine_chunks()


def _beside(file: pq.ParquetFile, old: list[str], new: pa.Table) -> Iterator[pa.Table]:
    """Row group by row group, the next one being read while the caller writes."""
    groups, start = range(file.num_row_groups), 0
    with ThreadPoolExecutor(1) as reader:
        waiting = deque(reader.submit(file.read_row_group, group, old) for group in groups[:1])
        for group in groups:
            part = waiting.popleft().result()
            if group + 1 in groups:
                waiting.append(reader.submit(file.read_row_group, group + 1, old))
            columns = new.slice(start, len(part))
            yield pa.table([*part.columns, *columns.columns], names=[*part.column_names, *columns.column_names])
            start += len(part)


def _write(path: Path, schema: pa.Schema, parts: Iterable[pa.Table]) -> None:
    """One row group of each part.

    Series of numbers are stored as their differences (frame numbers) or byte by byte (scores: what a network gave in
    32 bits leaves half of the bytes empty), since a large table is written as fast as the disk takes it.
    """
    series = {f"{field.name}.list.element": _series_encoding(field.type) for field in schema}
    encoding = {name: found for name, found in series.items() if found is not None}
    others = [field.name for field in schema if f"{field.name}.list.element" not in encoding]
    writer = None
    try:
        for part in parts:
            table = pa.table([_typed(part[field.name], field) for field in schema], names=schema.names)
            writer = writer or pq.ParquetWriter(
                path,
                table.schema,
                use_dictionary=[name for name in others if pa.types.is_string(schema.field(name).type)],
                column_encoding=encoding or None,
                compression={**dict.fromkeys(others, "snappy"), **_series_compression(encoding)},
                store_schema=False,  # it would tell which columns were in memory as dictionaries
            )
            writer.write_table(table, row_group_size=max(len(table), 1))
    finally:
        if writer is not None:
            writer.close()


def shared(path: Path) -> list[str]:
    """The columns of a table whose texts many rows share."""
    return [name for name in pq.read_schema(path).names if name in SHARED or name.endswith("_scorer")]


def _series_encoding(kind: pa.DataType) -> str | None:
    if not pa.types.is_list(kind) or pa.types.is_string(kind.value_type):
        return None
    return "DELTA_BINARY_PACKED" if pa.types.is_integer(kind.value_type) else "BYTE_STREAM_SPLIT"


def _series_compression(encoding: dict[str, str]) -> dict[str, str]:
    """Differences are small as they are."""
    return {name: "snappy" if found == "BYTE_STREAM_SPLIT" else "none" for name, found in encoding.items()}


def _typed(column: pa.ChunkedArray, field: pa.Field) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type) and column.type.value_type == field.type:
        return column
    return column.cast(field.type)


def there(path: Path) -> Path:
    """The path of a table, which exists.

    Raises:
        FileNotFoundError: it does not; the message says how to get it.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: run `soraflow run --select '+{_asset(path)}'`, or `dvc pull`")
    return path


def _asset(path: Path) -> str:
    """The asset that writes a table: data/ASSET.parquet, data/ASSET/…, or var/artifacts/ASSET/…"""
    rooms = [place for place, part in enumerate(path.parts[:-1]) if part in ("data", "artifacts")]
    return Path(path.parts[rooms[-1] + 1]).stem if rooms else path.stem


def kept(rows: Iterable[Row]) -> list[Row]:
    """The rows that no rule has rejected."""
    return [row for row in rows if row["rejected_by"] is None]
