"""Results as Dagster shows them: numbers as numbers, whatever has rows as a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import dagster as dg

from ops.runtime.flat import flat

if TYPE_CHECKING:
    import pyarrow as pa

MOST_ROWS = 100
"""Of a table on the page; the event log holds them all, for every materialisation."""
DIGITS = 5
"""Of a number in a table. A number by itself is left whole, for Dagster draws its course over time."""
NAMES = {
    "metrics": ("kind", "metric"),
    "totals": ("step",),
    "findings": ("rule", "passed", "finding"),
    "protocols": ("metric", "protocol"),
    "statistics": ("column",),
}
"""What the keys of nested results are, from the outside in, or the columns of lists in a list."""

Cell = str | int | float | bool | None
Row = dict[str, Cell]
"""As the page shows it."""


def values(results: Mapping[str, object]) -> dict[str, dg.MetadataValue]:
    """A mapping of plain results; what is nested becomes a table, and what is empty is left out."""
    return {name: _value(name, value) for name, value in results.items() if not _is_nothing(value)}


def table(rows: Iterable[Mapping[str, object]], columns: Sequence[str] = ()) -> dg.MetadataValue:
    """A table, with these columns first, or else those of text, for they name the row; rows beyond `MOST_ROWS` are
    counted in a last one."""
    leaves = [flat(row) for row in rows]
    others = dict.fromkeys(name for row in leaves for name in row)
    texts = [name for name in others if not columns and any(isinstance(row.get(name), str) for row in leaves)]
    names = list(dict.fromkeys([*columns, *texts, *others]))
    shown: list[Row] = [{name: _cell(row.get(name)) for name in names} for row in leaves[:MOST_ROWS]]
    if len(leaves) > MOST_ROWS:
        shown.append({**dict.fromkeys(names), names[0]: f"… and {len(leaves) - MOST_ROWS} more"})
    schema = dg.TableSchema(columns=[dg.TableColumn(name, type=_type(name, shown)) for name in names])
    return dg.MetadataValue.table([dg.TableRecord(row) for row in shown], schema)


def columns(name: str, schema: pa.Schema) -> dict[str, dg.MetadataValue]:
    """The columns of a stored table, under the key that the page shows as such: types and meanings in words."""
    from ops.runtime.columns import type_name

    described = [
        dg.TableColumn(field.name, type=type_name(field.type), description=_meaning(name, field.name))
        for field in schema
    ]
    return {"dagster/column_schema": dg.MetadataValue.table_schema(dg.TableSchema(columns=described))}


def _meaning(table: str, name: str) -> str | None:
    """None for a column that tables had in an earlier version."""
    from ops.data.catalogue import column

    try:
        return column(table, name).meaning
    except KeyError:
        return None


def _is_nothing(value: object) -> bool:
    return value is None or (isinstance(value, list | tuple | Mapping) and not value)


def _value(name: str, value: object) -> dg.MetadataValue:
    if isinstance(value, bool):
        return dg.MetadataValue.bool(value)
    if isinstance(value, int):
        return dg.MetadataValue.int(value)
    if isinstance(value, float):
        return dg.MetadataValue.float(value)
    if isinstance(value, str):
        return dg.MetadataValue.text(value)
    keys = NAMES.get(name, ())
    if isinstance(value, Mapping):
        return table(_rows(value, keys))
    assert isinstance(value, list | tuple), f"{name} is a {type(value).__name__}, which the page has no form for"
    rows = [item for item in value if isinstance(item, Mapping)]
    if len(rows) == len(value):
        return table(rows)
    lists = [item for item in value if isinstance(item, list | tuple)]
    if len(lists) == len(value):
        names = keys or tuple(str(place) for place in range(1, max(map(len, lists)) + 1))
        return table([dict(zip(names, item, strict=False)) for item in lists])
    return dg.MetadataValue.text(_listed(value))


def _rows(tree: Mapping[str, object], keys: Sequence[str]) -> list[dict[str, object]]:
    """A row for each innermost mapping or, where the values are plain, for each value."""
    key, *others = keys or ("name",)
    nested = {name: value for name, value in tree.items() if isinstance(value, Mapping)}
    if len(nested) < len(tree):
        value_of = others[0] if others else "value"
        return [{key: name, value_of: value} for name, value in flat(tree).items()]
    rows: list[dict[str, object]] = []
    for name, inside in nested.items():
        deeper = inside and all(isinstance(leaf, Mapping) for leaf in inside.values())
        rows += [{key: name, **row} for row in (_rows(inside, others) if deeper else [inside])]
    return rows


def _cell(value: object) -> Cell:
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, list | tuple):
        return _listed(value)
    assert isinstance(value, str | int | None), f"no cell of a table holds a {type(value).__name__}"
    return value


def _listed(items: Iterable[object]) -> str:
    return ", ".join(str(_cell(item)) for item in items)


def _type(name: str, rows: Sequence[Row]) -> str:
    kinds = {type(row[name]) for row in rows if row[name] is not None}
    names = {bool: "bool", int: "int", float: "float"}
    if kinds == {int, float}:
        return "float"
    return names.get(kinds.pop(), "string") if len(kinds) == 1 else "string"
