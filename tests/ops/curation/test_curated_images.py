from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from ops.curation import curated_images as module
from ops.curation.verdicts import NothingKept
from ops.runtime.project import Project

RULES = {
    "aesthetics": {"scorer": "colourfulness"},
    "technical_quality": {"scorer": "brisque"},
    "rules": {"aesthetic": {"minimum": 9.0}, "technical": {"maximum": 42.0}},
}


@pytest.fixture
def pictures(project: Project) -> Path:
    from importlib.metadata import distribution

    data = Path(str(distribution("scikit-image").locate_file("skimage/data")))
    folder = project.root / "pictures"
    folder.mkdir()
    for name in ("chelsea.png", "logo.png", "grass.png"):
        (folder / name).write_bytes((data / name).read_bytes())
    (folder / "again.png").write_bytes((data / "chelsea.png").read_bytes())
    Image.open(data / "chelsea.png").resize((60, 50)).save(folder / "small.webp")
    (folder / "letter.jpg").write_text("not a picture")
    return folder


def test_pictures_leave_for_their_own_reason(project: Project, pictures: Path, helpers, monkeypatch) -> None:
    project = helpers["recipe"](project, RULES, images="pictures")
    helpers["run"](project, "raw_images", "curated_images")
    rows = {row["path"]: row for row in helpers["rows_of"](project, "curated_images")}
    verdicts = {name: row["rejected_by"] for name, row in rows.items()}
    assert verdicts == {
        "again.png": None,
        "chelsea.png": "raw_images",
        "grass.png": "aesthetics",
        "letter.jpg": "raw_images",
        "logo.png": "technical_quality",
        "small.webp": "min_side",
    }
    assert {name: row["reason_code"] for name, row in rows.items()} == {
        "again.png": None,
        "chelsea.png": "duplicate",
        "grass.png": "low_aesthetics",
        "letter.jpg": "unknown_format",
        "logo.png": "low_quality",
        "small.webp": "too_small",
    }
    assert rows["chelsea.png"]["reason"] == "duplicate of again.png"
    assert rows["grass.png"]["reason"] == "colourfulness 0.00 is below 9"
    assert rows["grass.png"]["technical"] is None
    assert rows["small.webp"]["reason"] == "short side 50 is below 64 pixels"
    assert rows["again.png"]["technical"] < 20

    monkeypatch.setattr(module.parallel, "map", lambda *args: pytest.fail("decoded") if args[1] else ())
    stricter = {**RULES, "rules": {"aesthetic": {"minimum": 50.0}, "technical": {"maximum": 42.0}}}
    project = helpers["recipe"](project, stricter, images="pictures")
    with pytest.raises(NothingKept, match="all 6 images were rejected"):
        helpers["run"](project, "curated_images")
    assert len(helpers["rows_of"](project, "curated_images")) == 6


def test_a_recipe_without_images_has_an_empty_table(project: Project, helpers) -> None:
    project = helpers["recipe"](project)
    helpers["run"](project, "raw_images", "curated_images")
    assert helpers["rows_of"](project, "curated_images") == []
