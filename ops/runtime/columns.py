"""The columns of tables: what each holds, in words, and what must hold of it.

Schemas, suites of expectations, the pages about tables and what Dagster shows of them are drawn from these entries.
Nothing here imports pyarrow or Great Expectations until it is asked for what they need.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from types import GenericAlias, NoneType
from typing import TYPE_CHECKING, Annotated, Literal, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    import pyarrow as pa

    from ops.runtime.tables import Row

ColumnType = type | GenericAlias
"""As Python has it: `str`, `int` (64 bits), `float` (64 bits), `bool`, or a list of one of these."""
Check = Callable[["Row"], bool]
"""What is asked of a whole row, in which null is None."""


@dataclass(frozen=True)
class There:
    """The column is not null."""


@dataclass(frozen=True)
class Between:
    """Numbers within bounds, both included; null is not asked."""

    notes: str
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True)
class Matches:
    """Texts that a regular expression finds something in; null is not asked."""

    regex: str
    notes: str


@dataclass(frozen=True)
class Lacks:
    """Texts in which a regular expression finds nothing; null is not asked."""

    regex: str
    notes: str


@dataclass(frozen=True)
class OneOf:
    """Values of a list; null is not asked."""

    values: Sequence[object]
    notes: str


@dataclass(frozen=True)
class Listed:
    """Values of one of the lists of the catalogue (`ops.catalogue.lists`), which are drawn up from all columns and
    steps, so that no column can hold one; null is not asked."""

    which: Literal["deciders", "reasons"]
    notes: str


@dataclass(frozen=True)
class Holds:
    """`check` holds of the row; a failure is told under `name`."""

    name: str
    notes: str
    check: Check


@dataclass(frozen=True)
class ScoredBy:
    """Of a field of a TypedDict: the field that says who measured it."""

    column: str


Expectation = There | Between | Matches | Lacks | OneOf | Listed | Holds


@dataclass(frozen=True)
class Column:
    """What is expected of a column holds in the rows that a table keeps. `scored_by` names the column that says who
    measured this one."""

    name: str
    type: ColumnType
    meaning: str
    expectation: tuple[Expectation, ...] = ()
    scored_by: str | None = None

    def meaning_here(self, meaning: str) -> Column:
        """The same column in a table where it means something else."""
        return replace(self, meaning=meaning)


@dataclass(frozen=True)
class Table:
    """`path` is below the project's folder, `about` what docs say of its rows, and `base` the table whose columns it
    has, too, which are then the first of `columns`."""

    name: str
    path: str
    about: str
    columns: tuple[Column, ...]
    base: str | None = None

    def column(self, name: str) -> Column:
        """Raises KeyError for a column that the table does not have."""
        return next((column for column in self.columns if column.name == name), None) or _unknown(self.name, name)

    @property
    def schema(self) -> pa.Schema:
        return schema(self.columns)


def _unknown(table: str, column: str) -> Column:
    raise KeyError(f"the table {table} has no column '{column}'")


def scorer(name: str, of: str, *expectation: Expectation) -> Column:
    """The column that says who measured `of`."""
    return Column(name, str, f"JSON: scorer, version and settings of `{of}`", expectation)


def columns_of(row: type) -> tuple[Column, ...]:
    """The columns of a TypedDict whose fields are `Annotated[TYPE, MEANING, …]`, with what is expected, and `ScoredBy`,
    behind the meaning, or `Annotated[TYPE, COLUMN]` of another table. A field that may be None may be null."""
    return tuple(_column(name, *get_args(told)) for name, told in get_type_hints(row, include_extras=True).items())


def _column(name: str, kind: object, about: str | Column, *more: Expectation | ScoredBy) -> Column:
    if isinstance(about, Column):
        return replace(about, name=name, type=_plain(kind))
    expectation = tuple(each for each in more if not isinstance(each, ScoredBy))
    scored_by = next((each.column for each in more if isinstance(each, ScoredBy)), None)
    return Column(name, _plain(kind), about, expectation, scored_by)


def _plain(kind: object) -> ColumnType:
    if get_origin(kind) is Annotated:
        return _plain(get_args(kind)[0])
    if get_origin(kind) is Literal:
        return type(get_args(kind)[0])
    if isinstance(kind, GenericAlias) and get_origin(kind) is list:
        return kind
    members = [each for each in get_args(kind) if each is not NoneType]
    if members:
        return _plain(members[0])
    assert isinstance(kind, type)
    return kind


def schema(columns: Iterable[Column]) -> pa.Schema:
    import pyarrow as pa

    return pa.schema([(column.name, arrow_type(column.type)) for column in columns])


def arrow_type(kind: ColumnType) -> pa.DataType:
    import pyarrow as pa

    if get_origin(kind) is list:
        return pa.list_(arrow_type(get_args(kind)[0]))
    plain: dict[ColumnType, pa.DataType] = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    return plain[kind]


def type_name(kind: pa.DataType) -> str:
    """A type for people: `text`, `integer`, `list of floats`."""
    import pyarrow as pa

    names = {"double": "float", "int64": "integer", "bool": "true or false", "string": "text"}
    if not pa.types.is_list(kind):
        return names.get(str(kind), str(kind))
    inner = type_name(kind.value_type)
    return f"list of {inner.replace('list', 'lists', 1) if inner.startswith('list') else f'{inner}s'}"
