"""What the page of a dataset asset says about its table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from ops.curation import tables as schemas
from ops.curation.measuring.scores import Cost, Score, ScoreStore, score_key
from ops.curation.runs.records import write_record
from ops.data import captions, samples
from ops.runtime import tables
from ops.runtime.project import Project
from pipelines.factories.dataset_asset import _contents

OF_EVERY_TABLE = {"dagster/row_count", "dagster/column_schema"}
CLIP: dict[str, Any] = {"start_frame": 0, "end_frame": 72, "fps": 24.0, "motion": 0.1, "motion_cropped": 0.1}


@pytest.fixture
def project(checkout: Path, tmp_path: Path) -> Project:
    """Nothing here needs weights."""
    (tmp_path / "configs").symlink_to(checkout / "configs")
    (tmp_path / "params.yaml").write_text("preset: tiny\n", encoding="utf-8")
    return Project(tmp_path)


def rows(table: dg.MetadataValue) -> list[dict[str, Any]]:
    assert isinstance(table, dg.TableMetadataValue)
    return [dict(record.data) for record in table.records]


def test_the_clips_come_with_the_funnel_of_their_run_and_its_cost(project: Project) -> None:
    videos = [{"path": f"{number}.mp4", "seconds": 3.0} for number in range(4)]
    slow = {"rejected_by": "technical_quality", "reason_code": "too_slow", "reason": "took too long"}
    dull = {"rejected_by": "aesthetics", "reason_code": "low_aesthetics", "reason": "colourfulness 1.00 is below 9"}
    clips = [{**CLIP, "aesthetic": 20.0, "technical": 30.0}] * 2 + [
        {**CLIP, **slow},
        {**CLIP, **dull, "aesthetic": 1.0},
    ]
    tables.write(project.table("raw_videos"), videos, schemas.RAW_VIDEOS)
    tables.write(project.table("clips"), [{"start_frame": 0, "end_frame": 72, "fps": 24.0}] * 4, schemas.CLIPS)
    tables.write(project.table("curated_clips"), clips, schemas.MOTION_RECHECK)
    with ScoreStore.of(project) as store:
        key = score_key(store.remember("aesthetics", {}), "a")
        store.put([Score(key, "f" * 64, "aesthetics", 1.0, Cost(12.34, 1.5, 7_000_000))])
    record = write_record(project, "video")
    assert record is not None
    found = _contents(project, "curated_clips")
    told = {name: found[name].value for name in ("dagster/row_count", "kept", "run")}
    assert told == {"dagster/row_count": 4, "kept": 2, "run": record.stem}
    rejected = [{"rejected_by": "technical_quality", "reason_code": "too_slow", "rows": 1}]
    rejected += [{"rejected_by": "aesthetics", "reason_code": "low_aesthetics", "rows": 1}]
    assert sorted(rows(found["rejected"]), key=str) == sorted(rejected, key=str)
    funnel = {row["step"]: row for row in rows(found["funnel"])}
    places: dict[str, Any] = {"in": 4, "out": 3, "errors": 0, "hours": "0.003", "share": "75%"}
    cost = {"CPU s": "12.34", "GPU s": "1.50", "MB looked at": "7.0"}
    assert funnel["aesthetics"] == {"step": "aesthetics", **places, **cost}
    assert (funnel["technical_quality"]["errors"], funnel["technical_quality"]["CPU s"]) == (1, "")
    assert "funnel" not in _contents(project, "clips")


def test_without_videos_there_is_no_record(project: Project) -> None:
    for name in ("raw_videos", "clips", "curated_clips"):
        schema = schemas.MOTION_RECHECK if name == "curated_clips" else getattr(schemas, name.upper())
        tables.write(project.table(name), [], schema)
    assert write_record(project, "video") is None
    assert set(_contents(project, "curated_clips")) == {*OF_EVERY_TABLE, "kept"}


def test_captions_come_with_what_they_took(project: Project) -> None:
    paid = {"item_id": "a", "kind": "image", "caption": "a cat", "input_tokens": 900, "output_tokens": 60, "cost": 0.25}
    given = {"item_id": "b", "kind": "image", "caption": "a dog"}
    tables.write(project.table("captions"), [paid, {**paid, "item_id": "c"}, given], captions.SCHEMA)
    found = {name: value.value for name, value in _contents(project, "captions").items()}
    del found["dagster/column_schema"]
    assert found == {"dagster/row_count": 3, "kept": 3, "input_tokens": 1800, "output_tokens": 120, "cost": 0.5}
    tables.write(project.table("captions"), [given], captions.SCHEMA)
    assert set(_contents(project, "captions")) == {*OF_EVERY_TABLE, "kept"}


def test_columns_come_with_their_types_and_meanings(project: Project) -> None:
    tables.write(project.table("shots"), [], schemas.SHOTS)
    shown = _contents(project, "shots")["dagster/column_schema"].value
    columns = {column.name: (column.type, column.description) for column in shown.columns}
    assert list(columns) == schemas.SHOTS.names
    assert columns["width"] == ("integer", "width of the source, before the crop")
    assert columns["cut_distances"][0] == "list of floats"


def test_samples_come_with_their_buckets(project: Project) -> None:
    folder = project.data / "training_set"
    full = {
        "cut": "dataset",
        "bucket": "17x48x64",
        "kind": "video",
        "split": "train",
        "samples": 8,
        "items": 2,
        "enlarged": 1,
    }
    short = {
        "cut": "dataset",
        "kind": "video",
        "items": 2,
        "reason": "shorter than dataset.min_frames",
        "dropped": ["a", "b"],
    }
    tables.write(folder / "samples.parquet", [{"sample_id": str(number)} for number in range(8)], samples.SAMPLES)
    tables.write(folder / "buckets.parquet", [full, short], samples.BUCKETS)
    found = _contents(project, "training_set")
    assert found["dagster/row_count"].value == 8
    first, second = rows(found["buckets"])
    assert (first["bucket"], first["samples"], first["dropped"]) == ("17x48x64", 8, 0)
    assert (second["reason"], second["dropped"]) == ("shorter than dataset.min_frames", 2)
