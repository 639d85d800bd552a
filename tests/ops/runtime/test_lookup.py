"""Tables in parts: looked up by a key in whatever order, and written with the same bytes however they were divided."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from ops.runtime import tables
from ops.runtime.lookup import Lookup

SCHEMA = pa.schema([("key", pa.string()), ("text", pa.string()), ("rejected_by", pa.string())])
ROWS = [{"key": f"k{n}", "text": f"t{n}", "rejected_by": "a rule" if n % 5 == 4 else None} for n in range(23)]


@pytest.mark.parametrize("order", [list(range(25)), [20, 3, 3, 24, 0, 4, 17, 9, 11, 1]])
def test_kept_rows_are_found_in_the_order_in_which_they_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: list[int]
) -> None:
    monkeypatch.setattr(tables, "GROUP", 4)
    tables.write(tmp_path / "t.parquet", ROWS, SCHEMA)
    asked = pa.chunked_array([[f"k{n}" for n in order[:3]], [f"k{n}" for n in order[3:]]])
    found = Lookup(tmp_path / "t.parquet", "key", ["text"], asked)
    expected = [f"t{n}" if n < 23 and n % 5 != 4 else None for n in order]
    for start in range(0, len(order), 4):
        told = expected[start : start + 4]
        assert found.rows(start, len(told))["text"].to_pylist() == told
        assert found.known(start, len(told)).tolist() == [text is not None for text in told]


def test_nothing_is_found_in_a_table_without_rows(tmp_path: Path) -> None:
    tables.write(tmp_path / "t.parquet", [], SCHEMA)
    found = Lookup(tmp_path / "t.parquet", "key", ["text"], pa.chunked_array([["k1", "k2"]]))
    assert found.rows(0, 2)["text"].to_pylist() == [None, None]


def test_how_a_table_was_divided_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "GROUP", 6)
    tables.write(tmp_path / "whole.parquet", ROWS, SCHEMA)
    parts = [ROWS[:1], [], ROWS[1:15], ROWS[15:]]
    tables.write_parts(tmp_path / "parts.parquet", (tables.of_rows(part, SCHEMA) for part in parts), SCHEMA)
    assert (tmp_path / "parts.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()
    assert tables.rows_at(tmp_path / "parts.parquet", [22, 0, 7]) == [ROWS[22], ROWS[0], ROWS[7]]
