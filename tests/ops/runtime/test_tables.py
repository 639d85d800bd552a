from pathlib import Path

import pyarrow as pa
import pytest

from ops.runtime import tables

SCHEMA = pa.schema([("name", pa.string()), ("number", pa.int64())])


def test_rows_come_back_in_order_with_their_types(tmp_path: Path):
    rows = [{"name": "b", "number": 2}, {"name": None, "number": 1}]
    tables.write(tmp_path / "t.parquet", rows, SCHEMA)
    assert tables.read(tmp_path / "t.parquet") == rows


def test_a_column_outside_the_schema_is_named(tmp_path: Path):
    with pytest.raises(ValueError, match=r"t.parquet: columns \['nmae'\] are not in its schema"):
        tables.write(tmp_path / "t.parquet", [{"nmae": "a"}], SCHEMA)


def test_a_missing_table_says_how_to_get_it(tmp_path: Path):
    """By the asset that makes it, with what is above that: of a fresh project nothing else could be made."""
    for path, asset in (
        ("data/clips.parquet", "clips"),
        ("data/training_set/samples.parquet", "training_set"),
        ("var/artifacts/latents/12ab/index.parquet", "latents"),
        ("data/data/clips.parquet", "clips"),
    ):
        with pytest.raises(FileNotFoundError, match=rf"{path} is missing: run `soraflow run --select '\+{asset}'`"):
            tables.read(tmp_path / path)
