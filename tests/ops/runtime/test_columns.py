"""One entry a column: what is drawn from it."""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict

import pyarrow as pa
import pytest

from ops.data.columns import Sample
from ops.data.samples import SAMPLES
from ops.runtime.columns import Column, ScoredBy, Table, There, columns_of, schema, scorer, type_name

FRAMES = Column("frames", int, "how many frames", (There(),))


class Film(TypedDict):
    name: Annotated[str, "what it is called", There()]
    kind: Annotated[Literal["long", "short"], "how long it is"]
    frames: Annotated[int, FRAMES]
    crop: Annotated[list[int] | None, "what is used of it"]
    beauty: Annotated[float | None, "what people think", ScoredBy("beauty_scorer")]


def test_the_fields_of_a_row_are_its_columns() -> None:
    assert columns_of(Film) == (
        Column("name", str, "what it is called", (There(),)),
        Column("kind", str, "how long it is"),
        FRAMES,
        Column("crop", list[int], "what is used of it"),
        Column("beauty", float, "what people think", (), "beauty_scorer"),
    )


def test_types_are_those_of_parquet_and_have_names_for_people() -> None:
    kinds = (str, int, float, bool, list[str], list[list[int]])
    made = schema(Column(str(place), kind, "") for place, kind in enumerate(kinds))
    assert made.types == [
        *(pa.string(), pa.int64(), pa.float64(), pa.bool_()),
        *(pa.list_(pa.string()), pa.list_(pa.list_(pa.int64()))),
    ]
    assert [type_name(kind) for kind in made.types] == [
        *("text", "integer", "float", "true or false", "list of texts", "list of lists of integers"),
    ]


def test_samples_have_the_columns_of_their_type() -> None:
    assert SAMPLES.names == list(Sample.__annotations__)
    assert SAMPLES.field("crop").type == pa.list_(pa.int64())


def test_a_column_that_a_table_does_not_have_is_named() -> None:
    table = Table("films", "films.parquet", "One row a film.", (FRAMES, scorer("beauty_scorer", "beauty")))
    assert table.column("beauty_scorer").meaning == "JSON: scorer, version and settings of `beauty`"
    with pytest.raises(KeyError, match="the table films has no column 'sound'"):
        table.column("sound")
