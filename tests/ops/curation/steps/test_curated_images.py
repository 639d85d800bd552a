from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image

from ops.curation.rules.verdicts import NothingKept
from ops.curation.runs.funnel import costs
from ops.runtime import parallel
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

    monkeypatch.setattr(parallel, "map", lambda *args: pytest.fail("decoded") if args[1] else ())
    unwanted = [{"id": rows["again.png"]["source_id"], "because": "it is a cat"}]
    project = helpers["recipe"](project, {**RULES, "exclude": unwanted}, images="pictures")
    with pytest.raises(NothingKept, match=r"curated_images: 1, .*again\.png: named in curation\.exclude: it is a cat"):
        helpers["run"](project, "curated_images")

    stricter = {**RULES, "rules": {"aesthetic": {"minimum": 50.0}, "technical": {"maximum": 42.0}}}
    project = helpers["recipe"](project, stricter, images="pictures")
    with pytest.raises(NothingKept, match="all 6 images were rejected"):
        helpers["run"](project, "curated_images")
    assert len(helpers["rows_of"](project, "curated_images")) == 6


def test_a_recipe_without_images_has_an_empty_table(project: Project, helpers) -> None:
    project = helpers["recipe"](project)
    helpers["run"](project, "raw_images", "curated_images")
    assert helpers["rows_of"](project, "curated_images") == []


def test_of_pictures_that_show_the_same_the_largest_stays(project: Project, helpers, monkeypatch) -> None:
    """Another size, another encoding; a mirrored one and another picture are something else."""
    from importlib.metadata import distribution

    data = Path(str(distribution("scikit-image").locate_file("skimage/data")))
    (project.root / "photos").mkdir()
    cat = Image.open(data / "chelsea.png")
    cat.save(project.root / "photos" / "whole.png")
    cat.resize((300, 200), Image.Resampling.LANCZOS).save(project.root / "photos" / "a_smaller.jpg", quality=40)
    cat.save(project.root / "photos" / "coarse.webp", quality=20)
    cat.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(project.root / "photos" / "mirrored.png")
    Image.open(data / "coffee.png").save(project.root / "photos" / "coffee.png")
    rules = {**RULES, "rules": [], "near_duplicates": {"max_distance": 4}}
    project = helpers["recipe"](project, rules, images="photos")
    helpers["run"](project, "raw_images", "curated_images")
    rows = {row["path"]: row for row in helpers["rows_of"](project, "curated_images")}
    best = max((rows["whole.png"], rows["coarse.webp"]), key=lambda row: row["rejected_by"] is None)
    out = {name for name, row in rows.items() if row["rejected_by"] == "near_duplicates"}
    assert out == {"a_smaller.jpg", "coarse.webp", "whole.png"} - {best["path"]}
    for name in out:
        assert (rows[name]["reason_code"], rows[name]["duplicate_of"]) == ("near_duplicate", best["source_id"])
        assert rows[name]["reason"] == f"shows the same as {best['path']}, which has 451x300 pixels"
    assert all(len(row["perceptual_hash"]) == 1 for row in rows.values())
    assert all(row["duplicate_of"] is None for name, row in rows.items() if name not in out)

    monkeypatch.setattr(parallel, "map", lambda *args: pytest.fail("decoded") if args[1] else ())
    project = helpers["recipe"](project, {**rules, "near_duplicates": {"enabled": False}}, images="photos")
    helpers["run"](project, "curated_images")
    rows = helpers["rows_of"](project, "curated_images")
    assert [row["rejected_by"] for row in rows] == [None] * 5
    assert {row["perceptual_hash"] for row in rows} == {None}


TEXT_RULES = {
    **RULES,
    "rules": {"aesthetic": {"minimum": 1.0}, "technical": {"maximum": 200.0}},
    "images": {"text": {"min_side": 100}, "people": {"min_side": 100, "min_aesthetic": 30.0}},
}


def test_collections_are_judged_by_their_own_rules(project: Project, helpers) -> None:
    from importlib.metadata import distribution

    import matplotlib
    from PIL import ImageDraw, ImageFont

    data = Path(str(distribution("scikit-image").locate_file("skimage/data")))
    for collection in ("photos", "signs", "people"):
        (project.root / collection).mkdir()
    Image.open(data / "coffee.png").save(project.root / "photos" / "coffee.png")
    Image.open(data / "chelsea.png").save(project.root / "signs" / "cat.png")
    shop = Image.open(data / "rocket.jpg")
    font = ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans-Bold.ttf"), 48)
    ImageDraw.Draw(shop).text((40, 40), "OPEN ALL NIGHT", font=font, fill="white")
    shop.save(project.root / "signs" / "shop.png")
    person = Image.open(data / "astronaut.png")
    everybody = (
        ("grey", '{"caption": "a woman in a suit", "pwatermark": 0.1}'),
        ("kept", '{"caption": "a woman in an orange suit", "pwatermark": 0.1, "licence": "CC0-1.0"}'),
        ("marked", '{"caption": "a woman in a suit", "pwatermark": 0.9}'),
        ("nobody", '{"caption": "a space shuttle", "pwatermark": 0.0}'),
    )
    for number, (name, facts) in enumerate(everybody):
        picture = person.convert("L") if name == "grey" else person
        picture.crop((0, 0, 400 + number, 400)).save(project.root / "people" / f"{name}.png")
        (project.root / "people" / f"{name}.json").write_text(facts)
    images = [
        "photos",
        {"path": "signs", "collection": "text"},
        {"path": "people", "collection": "people", "licence": "MIT"},
    ]
    project = helpers["recipe"](project, TEXT_RULES, images=images)
    helpers["run"](project, "raw_images", "curated_images")
    rows = {row["path"]: row for row in helpers["rows_of"](project, "curated_images")}
    assert {name: row["reason_code"] for name, row in rows.items()} == {
        "coffee.png": None,
        "cat.png": "no_text",
        "shop.png": None,
        "grey.png": "low_aesthetics",
        "kept.png": None,
        "marked.png": "watermark",
        "nobody.png": "no_people",
    }
    assert rows["shop.png"]["recognised_text"] == ["OPEN ALL NIGHT"]
    assert rows["coffee.png"]["recognised_text"] is None
    assert rows["grey.png"]["reason"] == "colourfulness 0.00 is below 30"
    assert (rows["kept.png"]["licence"], rows["marked.png"]["licence"]) == ("CC0-1.0", "MIT")
    assert rows["kept.png"]["watermark"] == 0.1
    spent = costs(project)
    assert (spent["video"], set(spent["image"])) == (
        {},
        {"raw_images", "decoding", "aesthetics", "technical_quality", "recognised_text", "near_duplicates"},
    )


def test_an_excluded_picture_is_a_row_that_nobody_opened(project: Project, pictures: Path, helpers) -> None:
    """`letter.jpg` is no picture, which nobody finds out."""
    for name in ("letter", "logo"):
        (pictures / f"{name}.json").write_text('{"licence": "CC BY-NC-SA 2.0"}')
    rules = {**RULES, "exclude_licences": ["CC-BY-NC*"]}
    project = helpers["recipe"](project, rules, images={"path": "pictures", "licence": "CC0-1.0"})
    helpers["run"](project, "raw_images", "curated_images")
    rows = {row["path"]: row for row in helpers["rows_of"](project, "curated_images")}
    for name in ("letter.jpg", "logo.png"):
        row = rows[name]
        assert (row["rejected_by"], row["reason_code"], row["sha256"]) == ("raw_images", "licence", None)
        assert row["reason"] == "is under CC BY-NC-SA 2.0, which curation.exclude_licences leaves out ('CC-BY-NC*')"
    assert (rows["again.png"]["rejected_by"], rows["again.png"]["licence"]) == (None, "CC0-1.0")


def test_scores_of_a_picture_that_was_replaced_are_not_kept(project: Project, pictures: Path, helpers) -> None:
    project = helpers["recipe"](project, {**RULES, "max_attempts": 1}, images="pictures")
    helpers["run"](project, "raw_images")
    shutil.copy(pictures / "grass.png", pictures / "again.png")
    with pytest.raises(NothingKept):
        helpers["run"](project, "curated_images")
    rows = {row["path"]: row for row in helpers["rows_of"](project, "curated_images")}
    assert (rows["again.png"]["reason_code"], rows["grass.png"]["reason_code"]) == ("failed", "low_aesthetics")
    assert "replaced since" in rows["again.png"]["reason"]
