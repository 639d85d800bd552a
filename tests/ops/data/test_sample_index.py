"""The index of a training set holds its table's samples, whichever is asked for, and is made once for each table."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from ops.data import sample_index
from ops.data.sample_index import SampleIndex
from ops.data.samples import SAMPLES
from ops.runtime import tables
from ops.training.data.data_order import DataOrder

ROWS: list[dict[str, Any]] = [
    {
        "sample_id": f"{(number * 7) % 40:04x}",
        "source_id": f"source{number // 3}",
        "kind": "image" if number % 4 == 0 else "video",
        "split": "held_out" if number >= 30 else "train",
        "cut": "dataset",
        "bucket": "1x64x64" if number % 4 == 0 or number == 1 else f"{17 + 4 * (number % 2)}x48x64",
        "frame_indices": list(range(number % 5)),
        "caption": f"number {number}, ünïcode",
        "crop": None if number % 2 else [0, 1, 2, number],
    }
    for number in range(40)
]
FULL: list[Any] = [dict.fromkeys(SAMPLES.names) | row for row in ROWS]


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tables, "GROUP", 7)  # several parts, the last one shorter
    path = tmp_path / "samples.parquet"
    tables.write(path, ROWS, SAMPLES)
    return path


def test_every_sample_is_found_by_its_id(table: Path) -> None:
    index = SampleIndex(table)
    assert len(index) == 40
    assert list(index) == sorted(row["sample_id"] for row in ROWS)
    assert [index[row["sample_id"]] for row in FULL] == FULL
    assert index.rows(row["sample_id"] for row in reversed(FULL[3:30])) == FULL[3:30]
    for strange in ("", "zzzz", "0000a", "000"):
        assert strange not in index
    with pytest.raises(KeyError, match=r"samples\.parquet has no sample zzzz"):
        index["zzzz"]


@pytest.mark.parametrize("kinds", [("video",), ("image",), ("image", "video")])
@pytest.mark.parametrize("split", ["train", "held_out"])
def test_buckets_hold_the_ids_of_their_samples_in_order(table: Path, split: Any, kinds: Any) -> None:
    wanted: dict[str, list[str]] = {}
    for row in sorted(ROWS, key=lambda row: row["sample_id"]):
        if row["split"] == split and row["kind"] in kinds:
            wanted.setdefault(row["bucket"], []).append(row["sample_id"])
    found = SampleIndex(table).members(split, kinds)
    assert {bucket: list(ids) for bucket, ids in found.items()} == wanted


def test_the_order_of_the_rows_makes_no_difference_to_batches(table: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "samples.parquet"
    tables.write(other, ROWS[::-1], SAMPLES)
    members = [SampleIndex(path).members("train", ("video",)) for path in (table, other)]
    one, two = (DataOrder(each, dict.fromkeys(each, 4), 1, "v") for each in members)
    assert [one.batch(step) for step in range(1, 20)] == [two.batch(step) for step in range(1, 20)]


def test_the_samples_of_a_source_lie_beside_each_other(table: Path) -> None:
    index = SampleIndex(table)
    for row in FULL:
        assert index.beside(row["sample_id"]) == [each for each in FULL if each["source_id"] == row["source_id"]]


def test_it_is_made_once_and_anew_for_another_table(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    write = sample_index._written
    monkeypatch.setattr(sample_index, "_written", lambda *args: (made.append(args), write(*args))[1])
    for _ in range(3):
        assert SampleIndex(table)["0000"]["caption"] == "number 0, ünïcode"
    assert len(made) == 1
    tables.write(table, [{**row, "caption": "another"} for row in ROWS], SAMPLES)
    assert SampleIndex(table)["0000"]["caption"] == "another"
    assert len(made) == 2


def test_one_that_was_not_finished_is_made_anew(table: Path) -> None:
    SampleIndex(table)
    (table.parent / "index" / "about.json").unlink()
    (table.parent / "index" / "places.npy").write_bytes(b"half")
    assert SampleIndex(table)["0000"]["caption"] == "number 0, ünïcode"


def test_two_samples_of_one_id_are_an_error_that_names_it(table: Path) -> None:
    tables.write(table, [*ROWS, ROWS[4]], SAMPLES)
    with pytest.raises(ValueError, match=rf"samples\.parquet holds sample {ROWS[4]['sample_id']} more than once"):
        SampleIndex(table)


def test_an_empty_training_set_has_an_empty_index(table: Path) -> None:
    tables.write(table, [], SAMPLES)
    index = SampleIndex(table)
    assert (len(index), list(index), index.members("train", ("video",))) == (0, [], {})
    assert "a" not in index


def test_other_processes_map_it_anew(table: Path) -> None:
    index = SampleIndex(table)
    packed = pickle.dumps(index)
    assert len(packed) < 500
    assert dict(pickle.loads(packed)) == dict(index)


def test_samples_come_by_file_and_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As latents and exports want them, whatever order the table has."""
    monkeypatch.setattr(tables, "GROUP", 7)
    rows = [
        {**row, "root": f"root{number % 2}", "path": f"{'ü' if number % 3 else 'z'}{(number * 5) % 9}.mp4"}
        for number, row in enumerate(FULL)
    ]
    path = tmp_path / "samples.parquet"
    tables.write(path, rows, SAMPLES)
    index = SampleIndex(path)
    for group, numbers in index.grouped():
        mine = [row for row in rows if (row["split"], row["kind"], row["bucket"]) == (*group[:2], group.bucket)]
        wanted = sorted(mine, key=lambda row: (row["root"], row["path"], row["sample_id"]))
        assert index.at(index.by_source(numbers)) == wanted
        assert index.column("caption", index.by_source(numbers)).to_pylist() == [row["caption"] for row in wanted]
