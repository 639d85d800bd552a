"""Asking for a step's scores: what is in the store already, what is measured, and what cannot be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ops.curation.measuring.ledger import Ledger
from ops.curation.measuring.scores import identity_digest
from ops.curation.scorers import STEPS as PIXEL_STEPS
from ops.curation.scorers import identity
from ops.exit_codes import TooManyParked
from ops.runtime import parallel
from ops.runtime.project import Project
from ops.steps import CLIP_STEPS

CHEAP: dict[str, Any] = {"shots": {"scorer": "picture-change", "min_frames": 12}, "text_crop": {"scorer": "none"}}
STEPS = CLIP_STEPS[:-1]


@pytest.fixture
def films(tmp_path: Path, videos) -> Path:
    for seed in range(4):
        videos.slow_pan(tmp_path / "films" / f"pan{seed}.mp4", frames=24, seed=20 + seed)
    return tmp_path / "films"


@pytest.fixture
def curated_by(project: Project, films: Path, helpers) -> Callable[..., Project]:
    """Runs these steps over the films by a recipe with these changes."""

    def run(*steps: str, **changes: Any) -> Project:
        changed = helpers["recipe"](project, {**CHEAP, **changes}, videos=str(films))
        helpers["run"](changed, *steps)
        return changed

    return run


@pytest.mark.costly
@pytest.mark.parametrize("step", ["aesthetics", "near_duplicates"])
def test_the_share_of_parked_clips_is_one_of_all_clips_of_the_step(
    curated_by: Callable[..., Project], films: Path, helpers, step: str
) -> None:
    """Also when the others were measured by an earlier run, and nothing but the parked one is missing."""
    curated_by(*STEPS[: STEPS.index(step)], aesthetics={"frames": 5})
    (films / "pan2.mp4").write_bytes(b"no film any more")
    again: dict[str, Any] = {step: {"frames": 3}, "max_attempts": 1}
    for _ in range(2):
        project = curated_by(step, **again, max_parked_share=0.25)
        codes = {row["path"]: row["reason_code"] for row in helpers["rows_of"](project, step)}
        assert codes == {"pan0.mp4": None, "pan1.mp4": None, "pan2.mp4": "failed", "pan3.mp4": None}
    with pytest.raises(TooManyParked, match=f"{step}: 1 of 4 inputs are parked"):
        curated_by(step, **again, max_parked_share=0.2)


def test_what_is_gone_is_parked_no_more(curated_by: Callable[..., Project], films: Path) -> None:
    curated_by(*STEPS[: STEPS.index("aesthetics")])
    (films / "pan2.mp4").write_bytes(b"no film any more")
    again: dict[str, Any] = {"aesthetics": {"frames": 3}, "max_attempts": 1}
    project = curated_by("aesthetics", **again)
    assert [each.path for each in Ledger.of(project).parked()] == ["pan2.mp4"]
    (films / "pan2.mp4").unlink()
    project = curated_by(*STEPS[: STEPS.index("aesthetics") + 1], **again)
    assert Ledger.of(project).parked() == []


@pytest.mark.costly
def test_a_pass_gets_the_scores_that_it_may_ask_for_and_no_series_of_slices(
    curated_by: Callable[..., Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of every clip at once, for all tasks are made before the first begins: the series would fill the memory."""
    curated_by(*STEPS)
    known: list[dict[str, Any]] = []
    original = parallel.map

    def listening(function: Any, items: Any, *rest: Any) -> Any:
        known.extend(item.known for item in items)
        return original(function, items, *rest)

    monkeypatch.setattr(parallel, "map", listening)
    project = curated_by("aesthetics", aesthetics={"frames": 3})
    curation = project.settings.curation
    steps = {identity_digest(step, identity(step, curation)): step for step in PIXEL_STEPS}
    found = {steps.get(key.partition(":")[0]) for scores in known for key in scores}
    assert len(known) == 4
    assert found == {"text_crop", "technical_quality", "near_duplicates"}


@pytest.mark.costly
def test_scores_of_a_file_that_was_replaced_are_not_kept(
    curated_by: Callable[..., Project], films: Path, videos, helpers
) -> None:
    """They would be taken for those of the old content, wherever it turns up again."""
    project = curated_by("raw_videos", "clips")
    content = (films / "pan2.mp4").read_bytes()
    videos.flicker(films / "pan2.mp4", frames=24)
    (films / "pan3.mp4").touch()
    curated_by("shots", "motion", max_attempts=1)
    rows = {row["path"]: row for row in helpers["rows_of"](project, "motion")}
    assert {path: row["reason_code"] for path, row in rows.items() if row["reason_code"]} == {"pan2.mp4": "failed"}
    assert rows["pan2.mp4"]["reason"] == "it has been replaced since it was looked at: run the curation again"
    (films / "pan2.mp4").write_bytes(content)
    assert [each.path for each in Ledger.of(project).retry()] == ["pan2.mp4"]
    curated_by(*STEPS)
    (again,) = (row for row in helpers["rows_of"](project, "motion") if row["path"] == "pan2.mp4")
    assert again["reason_code"] is None
    assert 0 < again["motion"] < 0.1
