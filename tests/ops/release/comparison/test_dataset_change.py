"""Which clips and images two versions of the training set do not share, and why."""

from __future__ import annotations

import pytest
import yaml

from ops.data.dataset_version import MADE_FROM, folder_of
from ops.data.samples import SAMPLES
from ops.release.comparison.dataset_change import LATER_STEP, NO_SOURCE, OTHER_CUT, Item, dataset_change
from ops.runtime import tables
from ops.runtime.files import write_json
from ops.runtime.project import Project
from ops.steps import STEPS

COLUMNS = [("clip_id", "string"), ("path", "string"), ("rejected_by", "string"), ("reason", "string")]
CURATED = {"curated_clips": "c2", "curated_images": "i2"}


def version(project: Project, name: str, items: list[tuple[str, str, str, str]], made_from: dict[str, str]) -> None:
    """A kept version of (item, kind, path, split)."""
    rows = [
        dict.fromkeys(SAMPLES.names)
        | {"sample_id": f"{item}-0", "item_id": item, "kind": kind, "path": path, "split": split}
        for item, kind, path, split in items
    ]
    tables.write(folder_of(project, name) / "samples.parquet", rows, SAMPLES)
    write_json(folder_of(project, name) / MADE_FROM, {**made_from, "training_set": name})


@pytest.fixture
def two(project: Project) -> Project:
    """The second version's tables of curation are the current ones; those of the first are lost."""
    import pyarrow as pa

    first = [
        ("same", "video", "a.mp4", "train"),
        ("moved", "video", "a.mp4", "train"),
        ("dark", "video", "a.mp4", "train"),
        ("uncaptioned", "video", "b.mp4", "train"),
        ("recut", "video", "b.mp4", "held_out"),
        ("removed", "video", "gone.mp4", "train"),
        ("blurred", "image", "c.png", "train"),
    ]
    second = [first[0], (*first[1][:3], "held_out"), ("new", "video", "d.mp4", "train")]
    version(project, "v1", first, {"curated_clips": "c1", "curated_images": "i1"})
    version(project, "v2", second, CURATED)
    clips = [
        *(("same", "a.mp4", None, None), ("moved", "a.mp4", None, None)),
        ("dark", "a.mp4", "aesthetics", "aesthetic is 3.1, below 4.75"),
        ("uncaptioned", "b.mp4", None, None),
    ]
    names = [name for name, _ in COLUMNS]
    schema = pa.schema(COLUMNS)
    tables.write(project.table("curated_clips"), [dict(zip(names, row, strict=True)) for row in clips], schema)
    images = pa.schema([("source_id", "string"), *COLUMNS[1:]])
    row = {"source_id": "blurred", "path": "c.png", "rejected_by": "images", "reason": "it is blurred"}
    tables.write(project.table("curated_images"), [row], images)
    stages = {name: {"outs": [{"path": STEPS[name].output, "md5": md5}]} for name, md5 in CURATED.items()}
    (project.root / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}))
    return project


def test_items_out_have_the_reason_of_the_version_that_lacks_them(two: Project) -> None:
    found = dataset_change(two, "v1", "v2")
    assert {item.item_id: item.reason for item in found.out} == {
        "dark": "aesthetics: aesthetic is 3.1, below 4.75",
        "uncaptioned": LATER_STEP,
        "recut": OTHER_CUT,
        "removed": NO_SOURCE,
        "blurred": "images: it is blurred",
    }
    assert (found.in_both, found.moved, found.note) == (2, 1, None)
    assert found.reasons(found.out)[0][1] == 1


def test_items_in_and_versions_whose_tables_are_lost(two: Project) -> None:
    found = dataset_change(two, "v1", "v2")
    assert found.added == (Item("new", "video", "d.mp4", "not known: the curated_clips of that version are lost"),)
    back = dataset_change(two, "v2", "v1")
    assert (len(back.out), len(back.added)) == (1, 5)
    assert "v3" in str(dataset_change(two, "v1", "v3").note)
    assert dataset_change(two, "v1", "v1").note is None
