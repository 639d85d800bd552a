"""The measurement at the smallest size: that it works, not how fast anything is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.costly

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _benchmarks_are_importable(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = dict(os.environ)
    monkeypatch.syspath_prepend(ROOT)
    yield
    os.environ.clear()
    os.environ.update(before)


def test_three_sides_over_the_same_clips() -> None:
    from benchmarks import decode_once

    figures = decode_once.measure(clips=2, repeats=1)
    assert (figures.clips, figures.frames) == (2, 2 * decode_once.FRAMES)
    sides = (figures.decoding, figures.fused, figures.per_step)
    assert all(side.wall > 0 and side.cpu > 0 for side in sides)
    assert figures.over_decoding == pytest.approx(figures.fused.wall / figures.decoding.wall)
    section = decode_once.report(figures).section()
    assert section.startswith("## Decode once")
    assert "| one decoding per step |" in section


def test_a_step_that_decodes_by_itself_measures_what_the_fused_pass_does(tmp_path: Path) -> None:
    from benchmarks import decode_once
    from benchmarks.fresh_project import fresh_project
    from ops.curation.measuring.one_pass import score_source

    with fresh_project({"curation": decode_once.RECIPE}) as project:
        (file,) = decode_once.corpus(project, tmp_path, 1)
        task = decode_once._task(project, file)
        by_step = {each.step: each for each in decode_once._one_decoding_each([task])}
        assert tuple(by_step) == decode_once.STEPS
        fused = {score.step: score.value for score in score_source(decode_once._task(project, file))}
        alone = {step: decode_once.score_step(each) for step, each in by_step.items()}
    assert alone["aesthetics"] == [fused["aesthetics"]]
    assert alone["technical_quality"] == [fused["technical_quality"]]
    assert alone["shots"] == alone["motion"] == [fused["shots"]["distances"]]
