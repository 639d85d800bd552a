"""Each expectation of each suite fails on some table: one that could not would guard nothing.

Generic: a row that is as good as can be, of every column that a table has, and beside it one row for each column and
each wrong value of the column's type. All suites have to pass on the first, and each expectation to fail on the rest.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pytest

from ops.data.catalogue import TABLES as CATALOGUE
from ops.data.expectation_suites import SUITES
from ops.data.expectations import validate
from ops.data.table_suites import TABLES
from ops.runtime import tables
from ops.runtime.project import Project
from ops.steps import STEPS

pytestmark = pytest.mark.costly

SCHEMAS: dict[str, pa.Schema] = {
    name: CATALOGUE[name].schema for name in (*TABLES, "curated_clips", "captions", "training_set", "buckets")
}


def told(scorer: str) -> str:
    return json.dumps({"scorer": scorer, "version": "1", "settings": {}})


GOOD: dict[str, Any] = {
    **{"clip_id": "c" * 16, "source_id": "5" * 16, "parent": "c" * 16, "sha256": "a" * 64, "licence": "CC0-1.0"},
    **{"root": "films", "path": "a film.mp4", "bytes": 9, "mtime_ns": -1, "container": "mov", "codec": "h264"},
    **{"width": 64, "height": 48, "rotation": 0, "fps": 16.0, "variable_frame_rate": False, "frames": 64},
    **{"pixel_format": "yuv420p", "sample_aspect_ratio": 1.0, "mirrored": False, "colour_matrix": "bt709"},
    **{"colour_primaries": "bt709", "colour_transfer": "bt709", "colour_range": "limited", "interlaced": False},
    **{"field_order": "progressive", "transparent": False, "kept_share": 0.9, "least_kept_share": 0.5},
    **{"seconds": 4.0, "seek_points": [[0, 0], [32, 2000]], "collection": "text", "watermark": 0.1},
    **{"captions": ["a dog"], "caption_error": "a.json: is empty", "start_frame": 0, "end_frame": 32},
    **{"crop": [0, 64, 0, 48], "sampled_frames": [0, 2], "cut_distances": [0.1], "shots_scorer": told("lpips-alex")},
    **{"motion": 0.1, "motion_scorer": told("lpips-alex"), "text_boxes": "[[[0, 2, 0, 2]]]", "central_text": 0.1},
    **{"text_crop_scorer": told("rapidocr"), "aesthetic": 20.0, "aesthetics_scorer": told("laion-v2")},
    **{"technical": 5.0, "technical_scaled": 1.0, "technical_quality_scorer": told("dover"), "motion_cropped": 0.1},
    **{"motion_recheck_scorer": told("lpips-alex"), "perceptual_hash": ["0" * 16], "near_duplicates_scorer": told("p")},
    **{
        "text_lines": json.dumps([{"text": "OPEN", "confidence": 0.9, "box": [0, 1, 0, 1]}]),
        "recognised_text": ["OPEN"],
    },
    **{"recognised_text_scorer": told("rapidocr"), "item_id": "c" * 16, "kind": "video", "caption": "A dog runs"},
    **{"captioner": "{}", "origin": "sidecar", "note": "cut", "input_tokens": 1, "output_tokens": 1, "cost": 0.1},
    **{"sample_id": "d" * 16, "split": "train", "cut": "dataset", "bucket": "9x48x64", "frame_indices": [*range(9)]},
    **{"samples": 2, "items": 1, "enlarged": 1},
}
"""Columns that are not named here are null in a good row."""
OF_TABLE = {
    "training_set": {"frames": 9},
    "buckets": {"frames": 9},
    "raw_images": {"path": "a.png", "source_id": "1" * 16},
    "curated_images": {"path": "a.png", "source_id": "1" * 16},
    "captions": {"captioner": "{}"},
}

_TEXT: list[Any] = [
    None,
    "",
    "x",
    " x",
    "x\ny",
    "/x",
    "a/../../x",
    "[[[1]]]",
    '[{"text": 1}]',
    "The video is x",
    "x" * 2001,
]
WRONG: dict[pa.DataType, list[Any]] = {
    pa.string(): _TEXT,
    pa.int64(): [None, -1, 0, 45, 10**6],
    pa.float64(): [None, -1.0, 0.0, 1e9, float("inf")],
    pa.bool_(): [None],
    pa.list_(pa.string()): [None, [], ["1x"]],
    pa.list_(pa.int64()): [None, [], [5, 4], [0, 10**6, 90, 9], [0, 10**6], [0, 9, 0, 48]],
    pa.list_(pa.float64()): [None, [], [-1.0], [float("inf")]],
    pa.list_(pa.list_(pa.int64())): [None, [[5, 10], [3, 20]], [[1]]],
}
VERDICTS = (
    {"rejected_by": "captions"},
    {"rejected_by": "nobody", "reason_code": "empty", "reason": "so"},
    {"rejected_by": "captions", "reason_code": "boring", "reason": "so"},
)


def good_row(name: str) -> dict[str, Any]:
    return {key: value for key, value in {**GOOD, **OF_TABLE.get(name, {})}.items() if key in SCHEMAS[name].names}


def named(row: dict[str, Any], number: int) -> dict[str, Any]:
    """The row under ids of its own."""
    ids = {"clip_id": f"{number:016x}", "item_id": f"{number:016x}", "sample_id": f"{number:016x}"}
    hashes = {"perceptual_hash": [f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}"]}
    return {**row, **{key: value for key, value in {**ids, **hashes, "path": f"{number}.mp4"}.items() if key in row}}


def wrong_rows(name: str) -> Iterator[dict[str, Any]]:
    schema, good = SCHEMAS[name], good_row(name)
    changes = [{field.name: value} for field in schema for value in WRONG[field.type]]
    changes += [{key: value for key, value in verdict.items() if key in schema.names} for verdict in VERDICTS]
    for number, change in enumerate(changes, start=10):
        yield {**named(good, number), **change}


def write(project: Project, name: str, rows: list[dict[str, Any]]) -> None:
    file = {"training_set": "samples", "buckets": "buckets"}.get(name)
    path = project.data / "training_set" / f"{file}.parquet" if file else project.table(name)
    tables.write(path, rows, SCHEMAS[name])


@pytest.fixture
def good(set_params: Callable[[str], Project]) -> Project:
    """One row in every table, which all suites are content with."""
    project = set_params("curation: {technical_quality: {scorer: niqe}, exclude_licences: [x]}")
    for name in SCHEMAS:
        write(project, name, [good_row(name)])
    image = {**good_row("captions"), "item_id": "1" * 16, "kind": "image"}
    write(project, "captions", [good_row("captions"), image])
    held_out = {**good_row("training_set"), "sample_id": "e" * 16, "split": "held_out", "sha256": "b" * 64}
    write(project, "training_set", [good_row("training_set"), held_out])
    return project


def failures(project: Project, name: str) -> set[str]:
    return {failure["expectation"] for failure in validate(project, name).failures}


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_expectation_can_fail(good: Project, name: str) -> None:
    first = validate(good, name)
    assert first.failures == []
    twin = named(good_row(name), 5)
    write(good, name, [*wrong_rows(name), twin, twin])  # the good row is lost, and another is there twice
    found = failures(good, name)
    write(good, name, [])  # what is said of all rows together
    found |= failures(good, name)
    assert [told for told in first.expectations if told not in found] == []


def test_all_suites_are_looked_at() -> None:
    written = {name for name, step in STEPS.items() if step.output.endswith(".parquet")}
    assert written | {"training_set", "buckets"} == set(SCHEMAS)


@pytest.mark.parametrize("name", SUITES)
def test_a_table_that_comes_in_parts_is_judged_as_a_whole(
    good: Project, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that are there twice lie in different parts."""
    twin = named(good_row(name), 5)
    write(good, name, [twin, *wrong_rows(name), *wrong_rows(name), twin])
    whole = validate(good, name)
    monkeypatch.setattr(tables, "GROUP", 3)
    parts = validate(good, name)
    assert parts.failures
    assert parts.statistics == whole.statistics
    assert parts.expectations == whole.expectations
    for one, other in zip(parts.failures, whole.failures, strict=True):
        assert one | {"observed": None} == other | {"observed": None}
