"""Each curation leaves a record, and two of them can be laid beside each other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from ops.curation.runs import records
from ops.curation.runs.comparison import changed_settings, comparison_page, differences, spent_between
from ops.curation.runs.records import UnknownRun, histogram, on_same_bars
from ops.data import tables
from ops.data.funnel import clip_funnel
from ops.runtime.project import Project
from ops.steps import CLIP_STEPS, step
from pipelines.cli import app
from pipelines.terminal import curate


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
    assert (first.record["clips"], first.record["kept"], second.record["kept"]) == (4, 2, 1)
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
    first, second = records.last_two(curated_twice)
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
    run, _ = records.last_two(curated_twice)
    settings = run.record["settings"]
    assert settings["shots.min_frames"] == curated_twice.settings.curation.shots.min_frames
    assert {key.partition(".")[0] for key in settings} == {*records.SECTIONS, "exclude_licences"}
    other = {**settings, "shots.min_frames": 7, "exclude_licences": "CC-BY-NC*"}
    changed = records.Run("other", {**run.record, "settings": other})
    assert changed_settings(run, changed) == [
        ("exclude_licences", "none", "CC-BY-NC*"),
        ("shots.min_frames", str(settings["shots.min_frames"]), "7"),
    ]
    old = records.Run("old", {key: value for key, value in run.record.items() if key != "settings"})
    assert changed_settings(old, changed) == []


def test_runs_are_found_by_their_beginning(curated_twice: Project) -> None:
    first, second = records.last_two(curated_twice)
    assert records.run(curated_twice, first.name) == first
    assert records.run(curated_twice, second.record["version"][:8]) == second
    with pytest.raises(UnknownRun, match=f"more than one run begins with '2'; there are: {first.name}, {second.name}"):
        records.run(curated_twice, "2")
    with pytest.raises(UnknownRun, match="no run begins with 'x'"):
        records.run(curated_twice, "x")


def test_a_single_run_has_nothing_to_be_compared_with(project: Project) -> None:
    with pytest.raises(UnknownRun, match="holds 0 curation runs: two are needed"):
        records.last_two(project)


def test_without_a_run_the_list_says_so(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    assert command(project, monkeypatch, "runs") == "no curation has run yet: `soraflow run --select curated_clips`\n"


def command(project: Project, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    monkeypatch.setenv("SORAFLOW_PROJECT", str(project.root))
    monkeypatch.setattr(curate, "console", Console(width=160))
    done = CliRunner().invoke(app, ["curate", *arguments])
    assert done.exit_code == 0, done.output
    return done.output


def test_the_command_shows_both_and_writes_a_page(
    curated_twice: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = records.last_two(curated_twice)
    listed = command(curated_twice, monkeypatch, "runs")
    assert first.name in listed
    told = " ".join(listed.split())
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
