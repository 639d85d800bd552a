"""Each curation leaves a record, and two of them can be laid beside each other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rich.console import Console
from typer.testing import CliRunner

from ops.curation.runs import records
from ops.curation.runs.funnel import clip_funnel, image_funnel
from ops.curation.runs.records import UnknownRun, histogram, on_same_bars, two_runs
from ops.reports.comparison import changed_settings, comparison_page, differences, spent_between
from ops.runtime import tables
from ops.runtime.files import write_json
from ops.runtime.project import Project
from ops.steps import CLIP_STEPS, step
from pipelines.cli import app
from pipelines.terminal import curate

IMAGE_RULES = {
    "aesthetics": {"scorer": "colourfulness"},
    "technical_quality": {"scorer": "blur-and-blocks"},
    "rules": {"aesthetic": {"minimum": 0.0}},
}


@pytest.fixture(scope="module")
def curated_twice(
    tmp_path_factory: pytest.TempPathFactory, videos: ModuleType, shared_weights: Path, checkout: Path, recipe
) -> Iterator[Project]:
    """Four clips, and then the same again with another limit of technical quality, which takes one of them."""
    import shutil

    root = tmp_path_factory.mktemp("twice")
    shutil.copytree(checkout / "configs", root / "configs")
    videos.slow_pan(root / "films" / "pan.mp4")
    videos.bottom_subtitle(root / "films" / "subtitle.mp4")
    videos.still(root / "films" / "still.mp4")
    videos.ten_frames(root / "films" / "ten.mp4")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SORAFLOW_WEIGHTS", str(shared_weights))
        project = recipe(Project(root), videos="films")
        for name in CLIP_STEPS:
            step(name).load()(project)
        scores = sorted(row["technical"] for row in tables.kept(tables.read(project.table("curated_clips"))))
        assert len(scores) == 2
        stricter = {"rules": {"technical": {"maximum": sum(scores) / 2}}}
        project = recipe(project, stricter, videos="films")
        for name in CLIP_STEPS[CLIP_STEPS.index("technical_quality") :]:
            step(name).load()(project)
        yield project


def test_every_run_leaves_a_record(curated_twice: Project) -> None:
    first, second = records.runs(curated_twice)
    assert (first.record["rows"], first.record["kept"], second.record["kept"]) == (4, 2, 1)
    assert second.record["version"] in {records.table_version(curated_twice.table("curated_clips"))}
    assert second.record["funnel"] == clip_funnel(curated_twice)
    assert first.record["version"] != second.record["version"]
    assert first.name.endswith(first.record["version"][:8])
    rows = {row["step"]: row for row in first.record["funnel"]}
    assert [(rows[name]["entered"], rows[name]["kept"]) for name in ("shots", "motion", "aesthetics")] == [
        *((4, 3), (3, 2), (2, 2))
    ]
    assert rows["motion"]["codes"] == {"still": 1}
    assert set(first.record["histograms"]) == {
        *("seconds", "motion", "central_text", "aesthetic", "technical", "motion_cropped")
    }
    assert first.record["histograms"]["technical"]["bounds"] == {"maximum": 200.0}
    assert sum(first.record["histograms"]["motion"]["kept"]) == 2
    assert sum(first.record["histograms"]["motion"]["rejected"]) == 1


def test_the_difference_is_that_of_the_threshold(curated_twice: Project) -> None:
    first, second = two_runs(curated_twice, None, None, "video")
    ((key, before, after),) = changed_settings(first, second)
    assert (key, before) == ("rules.technical.maximum", "200")
    assert float(after) < 200
    found = {(each.step, each.what): each.change for each in differences(first, second) if each.change}
    assert found.pop(("technical_quality", "hours")) == pytest.approx(-2 / 3600)
    assert found.pop(("motion_recheck", "hours")) == pytest.approx(-2 / 3600)
    assert found.pop(("near_duplicates", "hours")) == pytest.approx(-2 / 3600)
    assert found == {
        ("technical_quality", "kept"): -1,
        ("technical_quality", "low_quality"): 1,
        ("motion_recheck", "kept"): -1,
        ("near_duplicates", "kept"): -1,
    }
    assert not any(each.change for each in differences(first, first))
    assert spent_between(first, second) == {}  # nothing was measured again


def test_every_setting_that_decides_about_clips_is_compared(curated_twice: Project) -> None:
    run, _ = two_runs(curated_twice, None, None, "video")
    settings = run.record["settings"]
    assert settings["shots.min_frames"] == curated_twice.settings.curation.shots.min_frames
    assert {key.partition(".")[0] for key in settings} == {
        *("clips", "sampling", "shots", "shot_boundaries", "text_crop", "aesthetics", "technical_quality"),
        *("safety", "near_duplicates", "exclude_licences", "exclude_videos", "exclude"),
    }
    other = {**settings, "shots.min_frames": 7, "exclude_licences": "CC-BY-NC*"}
    changed = records.Run("other", {**run.record, "settings": other})
    assert changed_settings(run, changed) == [
        ("exclude_licences", "none", "CC-BY-NC*"),
        ("shots.min_frames", str(settings["shots.min_frames"]), "7"),
    ]


def test_records_of_another_form_are_left_alone(curated_twice: Project) -> None:
    """Between the two that can be read, so that whoever read it would compare with it."""
    first, second = records.runs(curated_twice)
    other = records.folder(curated_twice) / f"{first.name[:-8]}zzzzzzzz.json"
    other.write_text('{"form": 1, "clips": 4}')
    assert records.runs(curated_twice) == [first, second]
    assert '"form": 1' in other.read_text()
    other.unlink()


def test_runs_are_found_by_their_beginning(curated_twice: Project) -> None:
    first, second = two_runs(curated_twice, None, None, "video")
    assert records.run(curated_twice, first.name) == first
    assert records.run(curated_twice, second.record["version"][:8]) == second
    with pytest.raises(UnknownRun, match=f"more than one run begins with '2'; there are: {first.name}, {second.name}"):
        records.run(curated_twice, "2")
    with pytest.raises(UnknownRun, match="no run begins with 'x'"):
        records.run(curated_twice, "x")


def test_a_single_run_has_nothing_to_be_compared_with(project: Project) -> None:
    with pytest.raises(UnknownRun, match="holds 0 of the two runs of clips that a comparison needs"):
        two_runs(project, None, None, "video")


def test_without_a_run_the_list_says_so(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (
        command(project, monkeypatch, "runs") == "no curation has run yet: `soraflow run --select '+curated_clips'`\n"
    )


def command(project: Project, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    monkeypatch.setenv("SORAFLOW_PROJECT", str(project.root))
    monkeypatch.setattr(curate, "console", Console(width=160))
    done = CliRunner().invoke(app, ["curate", *arguments])
    assert done.exit_code == 0, done.output
    return done.output


def test_the_command_shows_both_and_writes_a_page(
    curated_twice: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = two_runs(curated_twice, None, None, "video")
    listed = command(curated_twice, monkeypatch, "runs")
    told = " ".join(listed.split())
    assert f"{first.name} tiny 2 of 4 clips kept, 0.001 h motion" in told
    assert "motion 0.001 to 0.3, aesthetic ≥ 5, technical ≤ 200, motion_cropped 0.001 to 0.3" in told
    page = tmp_path / "page.html"
    shown = command(curated_twice, monkeypatch, "compare", "-o", str(page))
    (line,) = (line.split() for line in shown.splitlines() if line.split()[1:3] == ["low", "quality"])
    assert line == ["technical_quality", "low", "quality", "0", "1", "+1"]
    assert str(page) in shown.replace("\n", "")
    text = page.read_text()
    assert "src='data:image/png;base64,iVBOR" in text
    assert "<td>rules.technical.maximum</td><td>200</td>" in text
    turned = command(curated_twice, monkeypatch, "compare", second.name, first.name, "-o", str(page))
    (line,) = (line.split() for line in turned.splitlines() if line.split()[1:3] == ["low", "quality"])
    assert line[-1] == "-1"
    comparison_page(first, first, page)
    assert "<td>nothing</td>" in page.read_text()


def test_images_have_runs_of_their_own(
    project: Project, tmp_path: Path, recipe, shared_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SORAFLOW_WEIGHTS", str(shared_weights))
    draw = np.random.default_rng(7)
    (project.root / "photos").mkdir()
    for number, colours in enumerate((80, 160)):
        noise = draw.integers(128 - colours // 2, 128 + colours // 2, (12, 12, 3)).astype(np.uint8)
        Image.fromarray(noise).resize((192, 128)).save(project.root / "photos" / f"{number}.png")
    project = recipe(project, IMAGE_RULES, images="photos")
    for name in ("raw_images", "curated_images"):
        step(name).load()(project)
    looser, stricter = (row["aesthetic"] for row in tables.read(project.table("curated_images")))
    assert 0 < looser < stricter
    limit = {"rules": {"aesthetic": {"minimum": (looser + stricter) / 2}}}
    project = recipe(project, {**IMAGE_RULES, **limit, "images": {"people": {"min_aesthetic": 70.0}}}, images="photos")
    step("curated_images").load()(project)

    first, second = two_runs(project, None, None, "image")
    assert [(run.record["rows"], run.record["kept"]) for run in (first, second)] == [(2, 2), (2, 1)]
    assert first.record["funnel"] == image_funnel(project)[:1] + first.record["funnel"][1:]
    assert set(first.record["histograms"]) == {"aesthetic", "technical"}
    assert set(first.record["costs"]) == {
        *("raw_images", "decoding", "aesthetics", "technical_quality", "near_duplicates")
    }
    assert spent_between(first, second) == {}
    assert [key for key, *_ in changed_settings(first, second)] == [
        "images.people.min_aesthetic",
        "rules.aesthetic.minimum",
    ]
    found = {(each.step, each.what): each.change for each in differences(first, second) if each.change}
    assert found == {
        ("aesthetics", "kept"): -1,
        ("aesthetics", "low_aesthetics"): 1,
        ("technical_quality", "kept"): -1,
    }

    listed = " ".join(command(project, monkeypatch, "runs").split())
    assert f"{second.name} tiny 1 of 2 images kept aesthetic ≥" in listed
    page = tmp_path / "page.html"
    shown = command(project, monkeypatch, "compare", "--images", "-o", str(page))
    (line,) = (line.split() for line in shown.splitlines() if line.split()[1:3] == ["low", "aesthetics"])
    assert line == ["aesthetics", "low", "aesthetics", "0", "1", "+1"]
    assert "<td>images</td><td>2</td><td>2</td>" in page.read_text()


def test_runs_of_clips_are_not_compared_with_those_of_images(curated_twice: Project) -> None:
    first, second = records.runs(curated_twice)
    of_images = records.folder(curated_twice) / "20990101-000000-000000-99999999.json"
    write_json(of_images, {**first.record, "kind": "image", "version": "9" * 32})
    assert two_runs(curated_twice, None, None, "video") == (first, second)
    assert two_runs(curated_twice, first.name, None, "image") == (first, second)
    with pytest.raises(UnknownRun, match=f"{first.name} is of clips and {of_images.stem} is of images: only runs of"):
        two_runs(curated_twice, first.name, "2099", "video")
    with pytest.raises(UnknownRun, match="holds 1 of the two runs of images"):
        two_runs(curated_twice, None, None, "image")
    of_images.unlink()


@pytest.mark.parametrize("values", [[0.5], [0.0, 0.0], [-3.0, 1e6], [0.001, 0.3, 0.2999, 0.25], list(range(1000))])
def test_histograms_count_every_value_in_its_bar(values: list[float]) -> None:
    kept, rejected = np.array(values, float), np.array(values[:1], float) + 0.125
    found: dict[str, Any] | None = histogram(kept, rejected)
    assert found is not None
    assert len(found["kept"]) == len(found["rejected"]) <= 66
    assert (sum(found["kept"]), sum(found["rejected"])) == (len(values), 1)
    for value in values:
        assert found["kept"][int(np.floor(value / found["width"])) - found["first"]] > 0
    assert np.log2(found["width"]) % 1 == 0


def test_histograms_of_other_ranges_come_to_the_same_bars() -> None:
    draw = np.random.default_rng(3)
    one, none = draw.normal(0, 1, 500), np.array([])
    two = draw.normal(20, 9, 700)
    assert histogram(none, none) is None
    found = [histogram(each, none) for each in (one, two)]
    same = on_same_bars([each for each in found if each is not None])
    assert same[0]["width"] == same[1]["width"]
    edges = (same[0]["first"] + np.arange(len(same[0]["kept"]) + 1)) * same[0]["width"]
    for each, values in zip(same, (one, two), strict=True):
        assert each["first"] == same[0]["first"]
        assert each["kept"] == np.histogram(values, edges)[0].tolist()
