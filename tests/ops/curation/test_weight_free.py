"""The whole funnel with scorers that need no weights, where no weights are."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ops.config import resolve
from ops.curation.scorers import STEPS as SCORED_STEPS
from ops.curation.scorers import scorer_of, steps_from
from ops.runtime.project import Project
from ops.steps import CLIP_STEPS

RECIPE = {
    "shots": {"scorer": "picture-change", "min_frames": 12},
    "text_crop": {"scorer": "none"},
    "aesthetics": {"scorer": "colourfulness"},
    "technical_quality": {"scorer": "blur-and-blocks"},
    "rules": [
        {"score": "motion", "minimum": 0.002, "maximum": 0.2},
        {"score": "aesthetic", "minimum": 5.0},
        {"score": "technical", "maximum": 0.9},
    ],
}


def test_the_funnel_needs_no_weights(
    project: Project, tmp_path: Path, videos, helpers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SORAFLOW_WEIGHTS", str(tmp_path / "none"))
    films = tmp_path / "films"
    for name, make in {"cut": videos.hard_cut, "flicker": videos.flicker, "pan": videos.slow_pan}.items():
        make(films / f"{name}.mp4")
    videos.still(films / "still.mp4")
    videos.bottom_subtitle(films / "subtitle.mp4")
    project = helpers["recipe"](project, RECIPE, videos=str(films))
    helpers["run"](project, *CLIP_STEPS)
    rows = {}
    for row in helpers["rows_of"](project, "curated_clips"):
        rows.setdefault(row["path"].removesuffix(".mp4"), []).append(row)
    assert [(row["start_frame"], row["end_frame"]) for row in rows["cut"]] == [(0, 30), (30, 60)]
    outcomes = {name: [row["reason_code"] for row in each] for name, each in rows.items()}
    assert outcomes == {
        **{"cut": [None, None], "flicker": ["shaking"], "pan": [None], "still": ["still"], "subtitle": [None]}
    }
    (subtitle,) = rows["subtitle"]
    assert (subtitle["crop"], subtitle["central_text"]) == (None, None)
    assert 0 < subtitle["technical"] < 0.9
    assert not (project.root / "var" / "weights").exists()


def test_the_recipe_of_the_docs_names_no_weights(checkout: Path) -> None:
    text = (checkout / "docs" / "curation.md").read_text()
    (recipe,) = (yaml.safe_load(block.split("```")[0]) for block in text.split("```yaml")[1:])
    curation = resolve(checkout, "v1_3", recipe).curation
    steps = steps_from(SCORED_STEPS[0], curation)
    assert {step: scorer_of(step, curation).weights for step in steps} == dict.fromkeys(steps, ())
    assert {*SCORED_STEPS} - {*steps} == {"shot_boundaries", "safety"}
    assert curation.shots.sure_distance == 0.14
