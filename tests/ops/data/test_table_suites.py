from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ops.curation import tables as schemas
from ops.data.blocking_checks import BLOCKING_CHECKS
from ops.data.captions import captions
from ops.data.catalogue import TABLES as CATALOGUE
from ops.data.expectation_suites import SUITES
from ops.data.expectations import validate
from ops.data.samples import BUCKETS
from ops.data.table_suites import TABLES
from ops.data.training_set import training_set
from ops.runtime import tables
from ops.runtime.project import Project
from ops.steps import STEPS, UnknownStep

pytestmark = pytest.mark.costly

SCHEMAS = {
    "raw_videos": schemas.RAW_VIDEOS,
    "clips": schemas.CLIPS,
    "raw_images": schemas.RAW_IMAGES,
    "curated_images": schemas.CURATED_IMAGES,
    "buckets": BUCKETS,
}


@pytest.fixture
def ready(curated: Project) -> Project:
    """The project made by hand, with what its films lack to be told from decoded ones."""
    captions(curated)
    training_set(curated)
    rows = tables.read(curated.table("raw_videos"))
    told = {"container": "matroska", "codec": "ffv1", "rotation": 0, "variable_frame_rate": False, "mtime_ns": 1}
    told |= {"mirrored": False, "interlaced": False, "transparent": False}
    points = {"seek_points": [[0, 0], [48, 2000]]}
    tables.write(curated.table("raw_videos"), [{**row, **told, **points} for row in rows], schemas.RAW_VIDEOS)
    return curated


def path_of(project: Project, name: str) -> Path:
    return project.data / "training_set" / "buckets.parquet" if name == "buckets" else project.table(name)


def change(project: Project, name: str, edit: Callable[[list[dict[str, Any]]], Any]) -> None:
    rows = tables.read(path_of(project, name))
    edit(rows)
    tables.write(path_of(project, name), rows, SCHEMAS[name])


def failures(project: Project, name: str) -> set[str]:
    return {failure["expectation"] for failure in validate(project, name).failures}


def test_every_table_that_a_step_writes_has_a_suite(ready: Project) -> None:
    written = {name for name, step in STEPS.items() if step.output.endswith(".parquet")}
    assert written - {*TABLES, *SUITES} == set()
    assert {*TABLES, *SUITES, "buckets"} == set(BLOCKING_CHECKS)
    folders = [path.stem for path in sorted((ready.data / "training_set").glob("*.parquet"))]
    assert folders == ["buckets", "samples"]  # `buckets` has a suite of its name, `samples` that of training_set


def test_every_column_of_these_tables_has_an_expectation() -> None:
    """Or is one of a score, with which it is told, or one that may be anything."""
    assert {*TABLES, "buckets"} <= set(CATALOGUE)
    columns = {column.name: column for name in TABLES for column in CATALOGUE[name].columns}
    silent = {name for name, column in columns.items() if not column.expectation}
    assert silent - {column.scored_by for column in columns.values()} == {"mtime_ns"}
    assert {column.name for column in CATALOGUE["buckets"].columns if not column.expectation} == {"reason"}


@pytest.mark.parametrize("name", SCHEMAS)
def test_good_tables_pass(ready: Project, name: str) -> None:
    validation = validate(ready, name)
    assert validation.failures == []
    assert validation.statistics["rows"] > 0


SPOILED: list[tuple[str, dict[str, Any], str]] = [
    ("raw_videos", {"sha256": "x"}, "a sha256 names the content"),
    ("raw_videos", {"rotation": 45}, "pictures are turned by right angles"),
    ("raw_videos", {"frames": 0}, "something was decoded"),
    ("raw_videos", {"seek_points": [[5, 10], [3, 20]]}, "points to seek to rise in frame and in time"),
    ("raw_videos", {"fps": None}, "fps is there"),
    ("raw_videos", {"pixel_format": ""}, "a pixel format has a name"),
    ("raw_videos", {"sample_aspect_ratio": 9.0}, "pixels have a shape"),
    ("raw_videos", {"colour_matrix": "bt601"}, "H.273 has the matrix"),
    ("raw_videos", {"colour_primaries": "srgb"}, "H.273 has the primaries"),
    ("raw_videos", {"colour_transfer": "pq"}, "H.273 has the transfer"),
    ("raw_videos", {"colour_range": "tv"}, "there are two ranges"),
    ("raw_videos", {"field_order": "tff"}, "one of two fields comes first, or it is not known"),
    (
        "raw_videos",
        {"variable_frame_rate": True},
        "times at a variable rate are in order, one more than frames",
    ),
    ("raw_videos", {"frame_times": [0.0, 1.0]}, "times at a variable rate are in order, one more than frames"),
    ("raw_videos", {"path": "../a.mp4"}, "paths stay below their root"),
    ("raw_videos", {"path": "/a.mp4"}, "paths stay below their root"),
    ("raw_videos", {"path": "a/../../b.mp4"}, "paths stay below their root"),
    ("raw_videos", {"rejected_by": "raw_videos"}, "a row is kept, or says who rejected it and why"),
    (
        "raw_videos",
        {"rejected_by": "nobody", "reason_code": "empty", "reason": "so"},
        "a step of the graph rejected it",
    ),
    (
        "raw_videos",
        {"rejected_by": "raw_videos", "reason_code": "boring", "reason": "so"},
        "reasons have a code of the list",
    ),
    ("clips", {"end_frame": 0}, "clips have frames"),
    ("clips", {"start_frame": -1}, "clips begin in their source"),
    ("clips", {"crop": [0, 65, 0, 48]}, "the crop lies inside the picture"),
    ("raw_images", {"width": 0}, "pictures have a width"),
    ("curated_images", {"aesthetics_scorer": "{}"}, "aesthetic says who measured it"),
    ("curated_images", {"technical": float("inf")}, "technical is a number"),
    ("raw_images", {"collection": "pets"}, "there are three collections"),
    ("raw_images", {"watermark": 2.0}, "a watermark's score is a share"),
    ("curated_images", {"text_lines": '[{"text": "a"}]'}, "lines of text have a text, a confidence and a box"),
    ("curated_images", {"text_lines": "[]"}, "text says who read it"),
    ("curated_images", {"collection": "text"}, "a picture of the collection `text` says something"),
    ("raw_videos", {"seek_points": [[0, 0], [48, 48], [40, 96]]}, "points to seek to rise in frame and in time"),
    ("buckets", {"enlarged": 100}, "no more samples are enlarged than there are"),
    ("buckets", {"bucket": None}, "items are in a bucket that holds samples, or dropped for a reason"),
    ("buckets", {"samples": 0}, "items are in a bucket that holds samples, or dropped for a reason"),
    ("buckets", {"split": "test"}, "there are two splits"),
]


@pytest.mark.parametrize(("name", "columns", "expectation"), SPOILED)
def test_what_is_wrong_is_told(ready: Project, name: str, columns: dict[str, Any], expectation: str) -> None:
    change(ready, name, lambda rows: rows[0].update(columns))
    assert expectation in failures(ready, name)


def test_images_may_be_rejected_by_rules_of_their_own(ready: Project) -> None:
    small = {"rejected_by": "min_side", "reason_code": "too_small", "reason": "short side 50 is below 64 pixels"}
    change(ready, "curated_images", lambda rows: rows[0].update(small))
    assert failures(ready, "curated_images") == set()


def test_a_row_that_is_lost_or_doubled_is_told_with_its_name(ready: Project) -> None:
    lost = tables.read(ready.table("curated_images"))[1]
    change(ready, "curated_images", lambda rows: rows.pop(1))
    found = {failure["expectation"]: failure["ids"] for failure in validate(ready, "curated_images").failures}
    assert found["no row of the step before is lost"] == [lost["path"]]
    change(ready, "clips", lambda rows: rows.__setitem__(slice(0, 2), []))
    assert "no row of the step before is lost" in failures(ready, "clips")
    change(ready, "clips", lambda rows: rows.append(rows[0]))
    assert "clip_id is unique" in failures(ready, "clips")
    change(ready, "raw_images", lambda rows: rows.append(rows[0]))
    assert failures(ready, "raw_images") == {"a file has one row"}


def test_no_such_table(ready: Project) -> None:
    with pytest.raises(UnknownStep, match="unknown step 'squares'; the steps are"):
        validate(ready, "squares")
