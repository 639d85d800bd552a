import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import yaml

from ops.curation import tables as schemas
from ops.data.captions import SCHEMA, captions
from ops.data.content_version import content_version
from ops.data.expectation_suites import SUITES
from ops.data.expectations import checks_passed, validate
from ops.data.samples import SAMPLES
from ops.data.training_set import training_set
from ops.data.validation import Validation
from ops.data.validation_page import report
from ops.runtime import tables
from ops.runtime.project import Project

pytestmark = pytest.mark.costly

TABLES: dict[str, tuple[str, Any, str]] = {
    "curated_clips": ("curated_clips.parquet", schemas.NEAR_DUPLICATES, "clip_id"),
    "captions": ("captions.parquet", SCHEMA, "item_id"),
    "training_set": ("training_set/samples.parquet", SAMPLES, "sample_id"),
}


@pytest.fixture
def ready(curated: Project) -> Project:
    captions(curated)
    training_set(curated)
    return curated


def spoil(project: Project, name: str, change: Callable[[dict[str, Any]], None]) -> str:
    """Change one row of the data and return its id."""
    file, schema, key = TABLES[name]
    rows = tables.read(project.data / file)
    row = next(row for row in rows if row.get("rejected_by") is None)
    change(row)
    tables.write(project.data / file, rows, schema)
    return row[key]


def failed(validation: Validation) -> dict[str, list[str]]:
    assert not validation.passed
    return {failure["expectation"]: failure["ids"] for failure in validation.failures}


def commit(project: Project, name: str, version: str) -> None:
    """What DVC writes when it commits this version."""
    outs = [{"path": f"data/{name}.parquet" if name != "training_set" else "data/training_set", "md5": version}]
    (project.root / "dvc.lock").write_text(yaml.safe_dump({"stages": {name: {"outs": outs}}}))


@pytest.mark.parametrize("name", TABLES)
def test_good_data_passes(ready: Project, name: str):
    validation = validate(ready, name)
    assert validation.failures == []
    assert validation.passed
    assert validation.statistics["rows"] > 0


SPOILED: list[tuple[str, dict[str, Any], str]] = [
    ("curated_clips", {"end_frame": 65}, "the clip ends within its source"),
    ("curated_clips", {"end_frame": 20}, "the length lies within curation.shots"),
    ("curated_clips", {"crop": [0, 65, 0, 48]}, "the crop lies inside the picture"),
    ("curated_clips", {"crop": [0, 20, 0, 48]}, "the crop leaves what curation.text_crop allows"),
    ("curated_clips", {"motion": 0.5}, "motion keeps its rule"),
    ("curated_clips", {"motion_cropped": None}, "motion_cropped is there"),
    ("curated_clips", {"aesthetic": 1.0}, "aesthetic keeps its rule"),
    ("curated_clips", {"technical": 9.5}, "technical keeps its rule"),
    ("curated_clips", {"path": "../secret.mp4"}, "paths stay below their root"),
    ("curated_clips", {"perceptual_hash": None}, "perceptual_hash is there"),
    ("curated_clips", {"duplicate_of": "another"}, "a kept clip points to no better one"),
    ("curated_clips", {"sha256": "12"}, "a sha256 names the content"),
    ("curated_clips", {"licence": "GPL 3.0"}, "no source is under a licence of curation.exclude_licences"),
    ("training_set", {"licence": "GPL 3.0"}, "no source is under a licence of curation.exclude_licences"),
    ("captions", {"cost": -1.0}, "cost is not negative"),
    ("captions", {"caption": ""}, "a row has a caption or the reason why not"),
    ("captions", {"caption": "two\nlines"}, "captions are one clean line"),
    ("captions", {"caption": "The video shows a cat"}, "captions begin with the content"),
    ("captions", {"caption": "x" * 2001}, "captions are neither empty nor too long"),
    ("training_set", {"caption": " "}, "every caption says something"),
    (
        "training_set",
        {"frames": 12, "bucket": "12x64x64", "frame_indices": list(range(12))},
        "frames are 1 + 4n",
    ),
    ("training_set", {"height": 63, "bucket": "13x63x64"}, "sides are multiples of 16"),
    ("training_set", {"bucket": "17x64x64"}, "the bucket's name is its size"),
    ("training_set", {"frame_indices": [*range(12), 64]}, "the decoded source holds every listed frame"),
    ("training_set", {"frame_indices": [5, 4, *range(6, 17)]}, "frame indices ascend"),
    ("training_set", {"frame_indices": [0]}, "as many frames are listed as the bucket has"),
    ("training_set", {"item_id": "nobody"}, "every sample comes from a curated item"),
    ("training_set", {"split": "test"}, "every sample is in a split"),
]


@pytest.mark.parametrize(("name", "columns", "expectation"), SPOILED)
def test_what_is_wrong_is_told_with_the_row(ready: Project, name: str, columns: dict[str, Any], expectation: str):
    offender = spoil(ready, name, lambda row: row.update(columns))
    assert failed(validate(ready, name))[expectation] == [offender]


def test_a_source_in_both_splits_is_told_with_its_samples(ready: Project):
    samples = tables.read(ready.data / "training_set" / "samples.parquet")
    images = [row["sha256"] for row in samples if row["split"] == "held_out"]
    assert len(set(images)) >= 2
    twin = {
        **samples[0],
        "sample_id": "twin",
        "split": "train" if samples[0]["split"] == "held_out" else "held_out",
    }
    tables.write(ready.data / "training_set" / "samples.parquet", [*samples, twin], SAMPLES)
    assert failed(validate(ready, "training_set")) == {"no source is in both splits": [samples[0]["sample_id"], "twin"]}


def test_a_missing_caption_row_and_a_doubled_id_are_told(ready: Project):
    rows = tables.read(ready.table("captions"))
    tables.write(ready.table("captions"), rows[1:], SCHEMA)
    assert rows[0]["item_id"] in failed(validate(ready, "captions"))["every curated item has a row"]
    clips = tables.read(ready.table("curated_clips"))
    tables.write(ready.table("curated_clips"), [*clips, clips[0]], schemas.NEAR_DUPLICATES)
    assert set(failed(validate(ready, "curated_clips"))["clip_id is unique"]) == {clips[0]["clip_id"]}


@pytest.mark.parametrize(("fps", "expected"), [(60.0, []), (24.0, ["the length lies within curation.shots"])])
def test_sixteen_seconds_of_a_fast_film_are_not_too_long(ready: Project, fps: float, expected: list[str]):
    """Frames beyond `curation.shots.max_fps` a second do not count, as when the shots were made."""
    offender = spoil(ready, "curated_clips", lambda row: row.update(fps=fps, end_frame=row["start_frame"] + 960))
    clips = tables.read(ready.table("curated_clips"))
    source = next(row["source_id"] for row in clips if row["clip_id"] == offender)
    files = tables.read(ready.table("raw_videos"))
    next(row for row in files if row["source_id"] == source).update(frames=960)
    tables.write(ready.table("raw_videos"), files, schemas.RAW_VIDEOS)
    assert [each["expectation"] for each in validate(ready, "curated_clips").failures] == expected


def test_clips_that_show_the_same_are_told(ready: Project):
    """The one that stands out is the one that should have been rejected."""
    clips = tables.read(ready.table("curated_clips"))
    one, other = sorted((row for row in clips if row["rejected_by"] is None), key=lambda row: row["clip_id"])[:2]
    other["perceptual_hash"] = [f"{int(text, 16) ^ 0b10101:016x}" for text in one["perceptual_hash"]]
    tables.write(ready.table("curated_clips"), clips, schemas.NEAR_DUPLICATES)
    assert failed(validate(ready, "curated_clips")) == {"no two kept clips show the same": [other["clip_id"]]}


def test_too_many_items_without_a_caption_fail(ready: Project):
    rows = tables.read(ready.table("captions"))
    for row in rows[:4]:
        row.update(caption=None, rejected_by="captions", reason="none came with it")
    tables.write(ready.table("captions"), rows, SCHEMA)
    assert list(failed(validate(ready, "captions"))) == [
        "as many items have captions as dataset.max_dropped_share asks for"
    ]


def test_no_clips_at_all_pass_as_a_table(ready: Project):
    tables.write(ready.table("curated_clips"), [], schemas.NEAR_DUPLICATES)
    assert validate(ready, "curated_clips").passed


def test_gates_look_again_at_the_version(ready: Project):
    assert not checks_passed(ready, "training_set")
    seen = validate(ready, "training_set").version
    assert not checks_passed(ready, "training_set"), "nothing was committed yet"
    commit(ready, "training_set", seen)
    assert checks_passed(ready, "training_set")
    commit(ready, "training_set", "two")
    assert not checks_passed(ready, "training_set"), "the check was of another version"
    spoil(ready, "training_set", lambda row: row.update(caption=""))
    commit(ready, "training_set", validate(ready, "training_set").version)
    assert not checks_passed(ready, "training_set"), "the check failed"


def test_a_validation_is_of_the_bytes_that_it_saw(ready: Project, monkeypatch: pytest.MonkeyPatch):
    """Not of what was committed: that may be another version, and may change while the rows are read."""
    output = ready.data / "training_set"
    first = validate(ready, "training_set").version
    assert first == content_version(output)
    commit(ready, "training_set", first)
    spoil(ready, "training_set", lambda row: row.update(caption="another"))
    second = validate(ready, "training_set").version
    assert second == content_version(output) != first
    assert [checks_passed(ready, "training_set", version) for version in (first, second)] == [True, True]

    suite, writes = SUITES["training_set"], iter(range(100))

    def frames(project: Project):
        yield from suite.frames(project)
        if next(writes) < often:
            spoil(ready, "training_set", lambda row: row.update(caption=f"{row['caption']} again"))

    monkeypatch.setitem(SUITES, "training_set", replace(suite, frames=frames))
    often = 1
    seen = validate(ready, "training_set")
    assert seen.version == content_version(output), "written while it was read, so read again"
    often = 100
    with pytest.raises(RuntimeError, match="was written 3 times while it was checked"):
        validate(ready, "training_set")


def test_the_outcome_is_kept_as_json_and_as_a_page(ready: Project):
    spoil(ready, "curated_clips", lambda row: row.update(motion=0.5))
    validation = validate(ready, "curated_clips")
    kept = json.loads((ready.var / "checks" / "curated_clips.json").read_text())
    assert kept["failures"] == validation.failures
    assert kept["failures"][0]["count"] == 1
    page = (ready.var / "checks" / "curated_clips.md").read_text()
    assert "# curated_clips: 1 of" in page
    assert "| ✗ | motion keeps its rule | 1 |" in page
    assert "| ✓ | clip_id is unique |" in page
    assert "| motion | 0.06 | " in page


def test_a_report_tells_the_rows_the_values_and_what_to_do(ready: Project):
    offender = spoil(ready, "curated_clips", lambda row: row.update(motion=0.5, end_frame=20, path="a|b.mp4"))
    validation = validate(ready, "curated_clips")
    assert validation.failures[0]["examples"][0] == {"path": "a|b.mp4", "clip_id": offender, "counted_frames": 20}
    told = report(validation)
    of = len(validation.expectations)
    assert told.startswith(f"**2 of {of} expectations failed for 3 rows, version {validation.version}**")
    for line in (
        "### the length lies within curation.shots",
        "1 of 3 rows are against it.",
        "| path | clip_id | motion |",
        rf"| `a\|b.mp4` | `{offender}` | `0.5` |",
        "### What to do",
        "* Make the table anew: `soraflow run --select curated_clips`. If it was changed by hand, that mends it.",
    ):
        assert line in told.splitlines()
    assert "`soraflow run --set curation.shots=…`" in told
    assert "var/checks/curated_clips.json" in told


def test_a_report_of_what_passed_is_a_line(ready: Project):
    validation = validate(ready, "curated_clips")
    of = len(validation.expectations)
    assert report(validation) == f"**all {of} expectations hold for 3 rows, version {validation.version}**\n"
