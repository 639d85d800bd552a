"""The whole funnel with scorers that need no weights, where no weights are."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops.runtime.project import Project

STEPS = ("raw_videos", "clips", "shots", "motion", "text_crop", "aesthetics", "technical_quality")
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
    helpers["run"](project, *STEPS, "motion_recheck", "near_duplicates", "curated_clips")
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
