"""What the page of a dataset asset says about its table."""

from __future__ import annotations

from typing import Any

from ops.curation import tables as schemas
from ops.curation.measuring.scores import Cost, Score, ScoreStore, score_key
from ops.curation.runs.records import write_record
from ops.data import captions
from ops.runtime import tables
from ops.runtime.project import Project
from pipelines.factories.dataset_asset import _contents

CLIP: dict[str, Any] = {"start_frame": 0, "end_frame": 72, "fps": 24.0, "motion": 0.1, "motion_cropped": 0.1}


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
    found = {name: value.value for name, value in _contents(project, "curated_clips").items()}
    assert (found["dagster/row_count"], found["kept"], found["run"]) == (4, 2, record.stem)
    assert set(str(found["rejected"]).splitlines()[2:]) == {"| technical_quality | 1 |", "| aesthetics | 1 |"}
    lines = str(found["funnel"]).splitlines()
    assert lines[0] == "| step | in | out | errors | hours | share | CPU s | GPU s | MB looked at |"
    assert "| aesthetics | 4 | 3 | 0 | 0.003 | 75% | 12.34 | 1.50 | 7.0 |" in lines
    assert "| technical_quality | 3 | 2 | 1 | 0.002 | 50% |  |  |  |" in lines
    assert "funnel" not in _contents(project, "clips")


def test_without_videos_there_is_no_record(project: Project) -> None:
    for name in ("raw_videos", "clips", "curated_clips"):
        schema = schemas.MOTION_RECHECK if name == "curated_clips" else getattr(schemas, name.upper())
        tables.write(project.table(name), [], schema)
    assert write_record(project, "video") is None
    assert set(_contents(project, "curated_clips")) == {"dagster/row_count", "kept"}


def test_captions_come_with_what_they_took(project: Project) -> None:
    paid = {"item_id": "a", "kind": "image", "caption": "a cat", "input_tokens": 900, "output_tokens": 60, "cost": 0.25}
    given = {"item_id": "b", "kind": "image", "caption": "a dog"}
    tables.write(project.table("captions"), [paid, {**paid, "item_id": "c"}, given], captions.SCHEMA)
    found = {name: value.value for name, value in _contents(project, "captions").items()}
    assert found == {"dagster/row_count": 3, "kept": 3, "input_tokens": 1800, "output_tokens": 120, "cost": 0.5}
    tables.write(project.table("captions"), [given], captions.SCHEMA)
    assert set(_contents(project, "captions")) == {"dagster/row_count", "kept"}
