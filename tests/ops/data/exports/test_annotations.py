import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ops.curation import tables as schemas
from ops.data.exports.annotations import export_annotations
from ops.data.exports.manifest import ExportError
from ops.runtime import tables
from ops.runtime.files import sha256
from ops.runtime.mp4 import read_mp4, write_mp4
from ops.runtime.project import Project
from ops.runtime.tables import Row

SCHEMAS = {
    "raw_videos": schemas.RAW_VIDEOS,
    "curated_clips": schemas.NEAR_DUPLICATES,
    "curated_images": schemas.CURATED_IMAGES,
}


def change(project: Project, table: str, edit: Callable[[Row], Any]) -> None:
    rows = tables.read(project.table(table))
    for row in rows:
        edit(row)
    tables.write(project.table(table), rows, SCHEMAS[table])


@pytest.fixture
def readable(dataset: Project) -> Project:
    """Two of the films are MP4, two of the pictures JPEG; one of each carries the scores that the loader knows."""

    def film(row: Row) -> None:
        if row["path"] in ("film0.mkv", "film1.mkv"):
            row["path"] = row["path"].replace(".mkv", ".mp4")
            write_mp4(dataset.root / "films" / row["path"], np.full((64, 48, 64, 3), 90, np.uint8), 16)
            row["sha256"] = sha256(dataset.root / "films" / row["path"])
        if row["path"] == "film0.mp4":
            row["aesthetics_scorer"] = json.dumps({"scorer": "laion-v2"})
            row["technical_quality_scorer"] = json.dumps({"scorer": "dover"})
        if row["path"] == "film1.mp4":
            row["crop"] = None

    def picture(row: Row) -> None:
        if row["path"] in ("picture0.png", "picture1.png"):
            row["path"] = row["path"].replace(".png", ".jpg")
            Image.new("RGB", (80, 64)).save(dataset.root / "pictures" / row["path"])
            row["sha256"] = sha256(dataset.root / "pictures" / row["path"])
        scorer = "laion-v2" if row["path"] == "picture0.jpg" else "colourfulness"
        row["aesthetics_scorer"] = json.dumps({"scorer": scorer})
        row["technical_quality_scorer"] = json.dumps({"scorer": "niqe"})

    change(dataset, "curated_clips", film)
    change(dataset, "curated_images", picture)
    return dataset


def loaded(merge_file: Path) -> list[tuple[Path, Row]]:
    """As Open-Sora Plan's loader does it: split each line at every comma, join root and path."""
    items = []
    for line in merge_file.read_text(encoding="utf-8").splitlines():
        root, annotation = line.split(",")
        items += [
            (Path(root) / item["path"], item) for item in json.loads(Path(annotation).read_text(encoding="utf-8"))
        ]
    return items


def test_the_loader_finds_every_clip_and_image_with_its_caption_cut_and_crop(readable: Project, tmp_path: Path):
    made = export_annotations(readable, tmp_path / "out")
    items = {file.name: (file, item) for file, item in loaded(tmp_path / "out" / "merge_data.txt")}
    assert sorted(items) == ["film0.mp4", "film1.mp4", "picture0.jpg", "picture1.jpg"]
    assert (made.items, made.files, made.written) == (4, 3, 3)
    file, film = items["film0.mp4"]
    assert film == {
        "path": "film0.mp4",
        "cap": "A film with number 0",
        "resolution": {"height": 48, "width": 48},
        "num_frames": 32,
        "fps": 16.0,
        "cut": [0, 32],
        "crop": [8, 56, 0, 48],
        "aesthetic": 20.0,
        "tech": 5.0,
        "motion": 0.06,
        "licence": "CC0-1.0",
    }
    x0, x1, y0, y1 = film["crop"]
    read = read_mp4(file)[film["cut"][0] : film["cut"][1], y0:y1, x0:x1]
    assert read.shape[:3] == (film["num_frames"], film["resolution"]["height"], film["resolution"]["width"])
    _, whole = items["film1.mp4"]
    assert whole["resolution"] == {"height": 48, "width": 64}
    assert whole.keys() == film.keys() - {"crop", "aesthetic", "tech"}  # of other scorers than LAION and DOVER
    _, picture = items["picture0.jpg"]
    assert picture == {
        "path": "picture0.jpg",
        "cap": "picture number 0",
        "resolution": {"height": 64, "width": 80},
        "aesthetic": 30.0,
        "licence": "CC0-1.0",
    }


def test_what_is_left_out_is_counted(readable: Project, tmp_path: Path):
    made = export_annotations(readable, tmp_path / "out")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["items"] == {"videos": 2, "images": 2}
    assert manifest["left_out"] == {
        "videos are read as .mp4, not .mkv": 1,
        "images are read as .jpg, not .png": 1,
    }
    assert made.notes == (
        "1 left out: images are read as .jpg, not .png",
        "1 left out: videos are read as .mp4, not .mkv",
        "2 without 'aesthetic': the scores are from colourfulness, not laion-v2",
        "1 without 'tech': the scores are from niqe, not dover",
    )


def test_the_manifest_has_the_hash_of_every_file_and_the_versions(readable: Project, tmp_path: Path):
    export_annotations(readable, tmp_path / "out")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["complete"] is True
    assert manifest["dataset"] == {"curated_clips": "c1", "curated_images": "c2", "captions": "c3"}
    export_annotations(readable, tmp_path / "named", "c4.dir")
    named = json.loads((tmp_path / "named" / "manifest.json").read_text())
    assert named["dataset"] == {**manifest["dataset"], "training_set": "c4.dir"}
    lists = ("videos_1.json", "images_1.json")
    assert {name: named["files"][name] for name in lists} == {name: manifest["files"][name] for name in lists}
    files = {path.name: path for path in (tmp_path / "out").iterdir() if path.name != "manifest.json"}
    for name in lists:
        text = files[name].read_text(encoding="utf-8")
        assert text == json.dumps(json.loads(text), indent=1) + "\n"
    assert manifest["files"].keys() == files.keys() == {"videos_1.json", "images_1.json", "merge_data.txt"}
    for name, path in files.items():
        assert manifest["files"][name]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert manifest["files"][name]["bytes"] == path.stat().st_size


def test_a_second_export_writes_nothing_and_a_changed_one_only_what_changed(readable: Project, tmp_path: Path):
    out = tmp_path / "out"
    export_annotations(readable, out)
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in out.iterdir()}
    assert export_annotations(readable, out).written == 0
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in out.iterdir()} == before
    change(readable, "curated_images", lambda row: row.update(rejected_by="someone"))
    assert export_annotations(readable, out).written == 1  # the merge file, which has one line less
    assert sorted(path.name for path in out.iterdir()) == ["manifest.json", "merge_data.txt", "videos_1.json"]
    assert {file.suffix for file, _ in loaded(out / "merge_data.txt")} == {".mp4"}


def test_a_comma_is_refused_and_named_before_anything_is_written(readable: Project, tmp_path: Path):
    with pytest.raises(ExportError, match=r"a,b/images_1.json' holds a comma"):
        export_annotations(readable, tmp_path / "a,b")
    assert not (tmp_path / "a,b").exists()
    (readable.root / "films").rename(readable.root / "films, old")
    change(readable, "curated_clips", lambda row: row.update(root="films, old"))
    with pytest.raises(ExportError, match="films, old' holds a comma"):
        export_annotations(readable, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_path_out_of_its_root_and_a_missing_source_are_refused(readable: Project, tmp_path: Path):
    (readable.root / "films" / "film1.mp4").unlink()
    with pytest.raises(ExportError, match=r"film1.mp4 is missing"):
        export_annotations(readable, tmp_path / "out")
    change(readable, "curated_clips", lambda row: row.update(path="../elsewhere.mp4"))
    with pytest.raises(ValueError, match="leads outside"):
        export_annotations(readable, tmp_path / "out")


def test_a_source_that_has_another_content_by_now_is_refused(readable: Project, tmp_path: Path):
    write_mp4(readable.root / "films" / "film1.mp4", np.full((64, 48, 64, 3), 9, np.uint8), 16)
    with pytest.raises(ExportError, match=r"film1.mp4 is not what was curated"):
        export_annotations(readable, tmp_path / "out")


def test_nothing_that_the_loader_reads_is_an_error_with_the_reasons(dataset: Project, tmp_path: Path):
    with pytest.raises(ExportError, match=r"3 left out: images are read as .jpg, not .png; 3 left out: videos are"):
        export_annotations(dataset, tmp_path / "out")


def test_what_the_loader_would_show_otherwise_is_left_out(readable: Project, tmp_path: Path):
    def look(row: Row) -> None:
        row["interlaced"] = row["path"] == "film0.mkv"

    def times(row: Row) -> None:
        if row["path"] == "film1.mp4":
            frames = row["end_frame"] - row["start_frame"]
            row["frame_times"] = [number / 10 for number in range(frames + 1)]
            row["seconds"] = frames / 10

    change(readable, "raw_videos", look)
    change(readable, "curated_clips", times)
    made = export_annotations(readable, tmp_path / "out")
    items = {file.name: item for file, item in loaded(tmp_path / "out" / "merge_data.txt")}
    assert "film0.mp4" not in items
    assert items["film1.mp4"]["fps"] == pytest.approx(10)
    assert "1 left out: the loader does not show interlaced videos as a player does" in made.notes
    assert "1 clips have a variable frame rate, which the loader takes for a constant one" in made.notes
