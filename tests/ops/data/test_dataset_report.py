import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ops.curation import tables as schemas
from ops.data.captions import captions
from ops.data.dvc_repository import open_repository, prepare
from ops.data.training_set import training_set
from ops.reports.dataset_report import dataset_report
from ops.reports.gallery import chosen
from ops.runtime import tables
from ops.runtime.project import Project

PICTURES = ("funnel.png", "histograms.png", "samples.png", "rejected.png")


@pytest.fixture
def ready(curated: Project) -> Project:
    captions(curated)
    training_set(curated)
    return curated


def colours(path: Path) -> set[tuple[int, ...]]:
    with Image.open(path) as image:
        return set(map(tuple, np.unique(np.asarray(image.convert("RGB")).reshape(-1, 3), axis=0).tolist()))


def test_the_report_holds_figures_and_pictures(ready: Project):
    folder = ready.data / "dataset_report"
    (folder).mkdir(parents=True)
    (folder / "old.png").write_bytes(b"of an earlier report")
    dataset_report(ready)
    assert {path.name for path in folder.iterdir()} == {"report.json", "report.md", "metrics.json", *PICTURES}
    report = json.loads((folder / "report.json").read_text())
    assert report["splits"]["train"]["video"]["samples"] + report["splits"]["held_out"]["video"]["samples"] == 3
    assert report["scores"]["clips"]["motion"] == {"max": 0.07, "median": 0.06, "min": 0.05}
    assert report["unusable_files"] == [{"path": "empty.mkv", "reason": "the file is empty"}]
    page = (folder / "report.md").read_text()
    assert "| video | motion_recheck | 3 | 0 | 50% | 6.0 |" in page
    assert "| `empty.mkv` | the file is empty |" in page
    assert all(f"({name})" in page for name in PICTURES)
    kept, limit = (42, 111, 151), (141, 8, 1)
    assert kept in colours(folder / "funnel.png")
    assert {kept, limit} <= colours(folder / "histograms.png")
    assert len(colours(folder / "samples.png")) > 1000
    assert len(colours(folder / "rejected.png")) > 1000


def test_the_same_data_gives_the_same_bytes(ready: Project):
    files = [ready.data / "dataset_report" / name for name in ("report.json", "report.md", *PICTURES)]
    dataset_report(ready)
    before = [file.read_bytes() for file in files]
    dataset_report(ready)
    assert [file.read_bytes() for file in files] == before


def test_dvc_shows_its_figures_and_pictures(ready: Project):
    dataset_report(ready)
    prepare(ready)
    shown = json.loads(dvc(ready, "metrics", "show", "--json"))
    (figures,) = (found["data"] for found in shown[""]["data"].values())
    assert figures["clips"] == {"kept": 3, "share": 0.5, "seconds": 6.0}
    assert figures["samples"]["train"]["video"] + figures["samples"]["held_out"]["video"] == 3
    assert figures["unusable_files"] == 1
    dvc(ready, "plots", "show", "--out", "plots")
    assert len(list((ready.root / "plots" / "static").glob("*.png"))) == len(PICTURES)


def dvc(project: Project, *arguments: str) -> str:
    open_repository(project).close()  # tells DVC's command line that there is no git
    command = [sys.executable, "-m", "dvc", *arguments]
    return subprocess.run(command, cwd=project.root, check=True, capture_output=True, text=True).stdout


def test_images_alone_can_be_reported(ready: Project):
    for table, schema in (
        ("raw_videos", schemas.RAW_VIDEOS),
        ("clips", schemas.CLIPS),
        ("curated_clips", schemas.NEAR_DUPLICATES),
    ):
        tables.write(ready.table(table), [], schema)
    captions(ready)
    training_set(ready)
    dataset_report(ready)
    report = json.loads((ready.data / "dataset_report" / "report.json").read_text())
    assert report["clip_seconds"] is None
    assert report["splits"]["train"]["video"] == {"items": 0, "samples": 0, "sources": 0}


def test_a_picture_that_cannot_be_decoded_any_more_does_not_stop_the_report(ready: Project):
    rows = tables.read(ready.table("curated_clips"))
    (ready.root / rows[0]["root"] / rows[0]["path"]).write_bytes(b"spoiled")
    dataset_report(ready)
    assert (ready.data / "dataset_report" / "samples.png").is_file()


def test_the_gallery_takes_turns():
    many, few = ([{"name": f"{kind}{n}"} for n in range(count)] for kind, count in (("a", 20), ("b", 2)))
    names = [row["name"] for row in chosen({"a": many, "b": few})]
    assert names[:5] == ["a0", "b0", "a1", "b1", "a2"]
    assert len(names) == 12
