"""Each benchmark's measurement, at the smallest size: that it works, not how fast anything is."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from ops.runtime.project import Project

pytestmark = pytest.mark.costly

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _benchmarks_are_importable(monkeypatch: pytest.MonkeyPatch, shared_weights: Path) -> Iterator[None]:
    """As `python -m benchmarks.…` from the root finds them; what they set in the environment is undone."""
    before = dict(os.environ)
    monkeypatch.syspath_prepend(ROOT)
    os.environ["SORAFLOW_WEIGHTS"] = str(shared_weights)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.mark.slow
def test_orchestration() -> None:
    from benchmarks import orchestration
    from benchmarks.fresh_project import fresh_project

    with fresh_project({}) as project:
        figures = orchestration.measure(project, "raw_images")
    assert set(figures.steps) == {"raw_images", "raw_images_meets_expectations"}
    assert 0 < figures.own < figures.wall
    assert "step raw_images" in orchestration.report(figures, "one asset").section()


@pytest.mark.slow
def test_curation(videos: ModuleType, tmp_path: Path) -> None:
    from benchmarks import curation

    videos.slow_pan(tmp_path / "films" / "pan.mp4")
    rules = {"rules": {"aesthetic": {"minimum": 0.0}, "technical": {"maximum": 1000.0}, "motion": {"minimum": 0.0}}}
    figures = curation.measure({"sources": {"videos": str(tmp_path / "films")}, "curation": rules})
    assert (figures.clips, figures.frames) == (1, 48)
    assert 0 < figures.decoding < figures.one_core
    assert sum(figures.scorers.values()) < figures.one_core
    assert {name.split()[0] for name in figures.scorers} >= {"shots", "text_crop", "aesthetics", "technical_quality"}
    assert "lpips-alex" in curation.report(figures).section()


@pytest.mark.slow
def test_training_step(finished: Any, tmp_path: Path) -> None:
    """On the latents of the finished project, in a copy of it."""
    from benchmarks import training_step
    from ops.training import assets
    from ops.training.trainings import asset_of

    project = Project(tmp_path / "project")
    shutil.copytree(finished.project.root, project.root, symlinks=True)
    params = yaml.safe_load((project.root / "params.yaml").read_text())
    params["stages"] = [{**stage, "schedule": {**stage["schedule"], "steps": 3}} for stage in params["stages"]]
    (project.root / "params.yaml").write_text(yaml.safe_dump(params))
    name = project.settings.stages[0].name
    figures = training_step.measure(lambda start: assets.train(project, asset_of(name), start))
    assert len(figures.bare) == len(figures.step) == len(figures.turn) == 2
    assert math.isfinite(figures.ratio)
    assert all(turn > step > 0 for turn, step in zip(figures.turn, figures.step, strict=True))
    assert name not in training_step.report({"denoiser": figures}).finding


def test_another_threshold() -> None:
    from benchmarks import redecide

    figures = redecide.measure(3000)
    assert 0 < figures.changed < 3000
    assert min(figures.reading, figures.deciding, figures.writing, figures.processor, figures.row_by_row) > 0
    assert list(figures.chain) == list(redecide.CHAIN)
    assert "3,000 clips are decided anew" in redecide.report(figures).section()


def test_cuts_are_counted_by_hand() -> None:
    from benchmarks.cut_quality import Tally, tally
    from benchmarks.joined_clips import Transition

    hard, dissolve = [Transition(30, 30), Transition(60, 60)], [Transition(10, 20)]
    assert tally([Transition(31, 31), Transition(59, 61)], hard) == Tally(2, 2, 2)
    assert tally([Transition(28, 28), Transition(60, 62)], hard) == Tally(2, 2, 0)
    assert tally([Transition(30, 30), Transition(31, 31)], hard) == Tally(2, 2, 1)
    assert tally([Transition(5, 9)], dissolve) == tally([Transition(20, 24)], dissolve) == Tally(1, 1, 1)
    assert tally([Transition(5, 8), Transition(22, 24)], dissolve) == Tally(1, 2, 0)
    some = Tally(3, 4, 2) + Tally(1, 1, 1)
    assert (some.precision, some.recall, some.f1) == pytest.approx((3 / 5, 3 / 4, 2 / 3))
    assert (Tally(0, 2, 0).precision, Tally(0, 2, 0).recall, Tally(0, 2, 0).f1) == (0, None, None)
    assert (Tally(2, 0, 0).precision, Tally(2, 0, 0).recall, Tally(2, 0, 0).f1) == (None, 0, 0)


def test_a_slice_that_could_not_be_measured_has_no_tally() -> None:
    from benchmarks.cut_quality import cuts_of

    row = {"path": "a.mp4", "parent": "x", "start_frame": 0, "end_frame": 9, "reason": "broken", "cut_distances": None}
    with pytest.raises(RuntimeError, match=r"a\.mp4: broken"):
        cuts_of([row])


def test_a_detector_that_is_not_installed_has_no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks import cut_quality
    from benchmarks.cut_quality import Tally

    monkeypatch.setattr(cut_quality.importlib.util, "find_spec", lambda name: None)
    assert cut_quality.content_detector() is None
    kinds = {"hard cuts": Tally(4, 5, 4), "dissolves of 6 to 18 frames": Tally(2, 2, 1)}
    ours = {"soraflow": kinds, "soraflow with TransNetV2": kinds}
    section = cut_quality.report({**ours, "PySceneDetect": None}).section()
    assert "| hard cuts: soraflow | 4 | 5 | 4 | 0.800 | 1.000 | 0.889 |" in section
    assert "| hard cuts: soraflow with TransNetV2 | 4 | 5 | 4 | 0.800 | 1.000 | 0.889 |" in section
    assert "scenedetect is not installed: pip install -e .[benchmarks] |  |  |  |  |  |  |" in section
    all_three = cut_quality.report({**ours, "PySceneDetect": dict.fromkeys(kinds, Tally(1, 1, 1))})
    assert "not installed" not in all_three.section()
    assert all_three.finding.endswith(
        "is 0.889, that of PySceneDetect's content detector 1.000; of dissolves it is 0.500, and 0.500 with TransNetV2."
    )


def test_the_finding_of_learning_is_what_each_choice_of_the_denoiser_gave() -> None:
    from benchmarks.learning import DENOISER_LEVERS, VAE_LEVERS, report

    vaes = [(f"VAE: {lever.name}", "27.8", "100%", "33%", "100%") for lever in VAE_LEVERS]
    shares = ("91%", "11%", "5%", "82%")
    pairs = zip(DENOISER_LEVERS, shares, strict=True)
    denoisers = [(f"denoiser: {lever.name}", "0.376", "100%", "33%", share) for lever, share in pairs]
    found = report(vaes, denoisers, 600, 600)
    assert "91% of the videos keep their direction; with the published min-SNR weights 11%" in found.finding
    assert [row[0] for row in found.rows] == [row[0] for row in (*vaes, *denoisers)]


def test_the_finding_of_samplers_is_how_many_prompts_are_kept_and_how_far_they_are() -> None:
    from benchmarks.samplers import APART, SHOWN, report, ways

    rows = [name for name, _ in ways()]
    assert len(set(rows)) == len(rows) == 17
    found = {name: {**dict.fromkeys(SHOWN, 0.5), APART: 2.0} for name in rows}
    found["unipc, 10 steps"] |= {"all": 0.75, APART: 1.0}
    del found["euler_ancestral, 10 steps"][APART]
    told = report(found, ["a red circle moves left"], "shapes", 3.0, seeds=6)
    assert "In 10 steps and in 20 steps 50% to 75% of the videos keep all of their prompt" in told.finding
    assert told.finding.endswith("in grey levels: ddim 2.00, dpm_solver++ 2.00, unipc 1.00.")
    assert told.notes[0].startswith("Share of 6 videos a row: 1 held-out prompts by 6 seeds, guidance 3")
    assert ("euler_ancestral, 10 steps", "50%", "50%", "50%", "50%", "") in told.rows


def test_the_finding_of_given_frames_is_what_a_first_frame_gives() -> None:
    from benchmarks.given_frames import SHOWN, report, ways

    rows = ways(9)
    assert rows["the first and the last"] == [0, 8]
    assert rows["the first half"] == [0]  # the whole latent frames of four
    assert rows["all but the middle"] == [0, 1, 2, 3, 5, 6, 7, 8]
    found = {name: {**dict.fromkeys(SHOWN, 0.5), "given": 30.0, "made": 20.0} for name in rows}
    found["nothing"]["given"], found["the first"]["shape"] = float("nan"), 0.75
    told = report(found, 36, "a stage")
    assert "A first frame takes the shapes from 50% to 75%" in told.finding
    assert told.rows[0] == ("nothing", "50%", "50%", "50%", "50%", "", "20.0")


def test_a_section_replaces_its_older_self_and_no_other(tmp_path: Path) -> None:
    from benchmarks.report import Report

    page = tmp_path / "benchmarks.md"
    Report("Training step", "old", ("", "s"), [("a", "1")]).write(page)
    Report("Curation", "stays", ("", "s"), [("b", "2")]).write(page)
    Report("Training step", "new", ("", "s"), [("c", "3")], ("a note",)).write(page)
    text = page.read_text()
    assert "**old**" not in text
    assert text.index("**stays**") < text.index("**new**") < text.index("* a note")
    assert text.count("## ") == 2


def test_the_shipped_page_has_every_section_and_names_no_place() -> None:
    from benchmarks.report import TITLES

    text = (ROOT / "docs" / "benchmarks.md").read_text()
    found = [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]
    assert found == [title for title in TITLES if not title.endswith("on a GPU")]
    assert text.count("cores of an") == len(found)
    assert not [word for word in text.split() if word.startswith(("/", "~"))]
