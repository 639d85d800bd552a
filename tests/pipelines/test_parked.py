"""Inputs that fail again and again, from the exit status of the run to the retry that heals it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from dagster import DagsterInstance

from ops.config import change
from ops.runtime import tables
from ops.runtime.project import Project
from pipelines import lineage_run

SLOW, FAST = "curation.time_limit_seconds=0.001", "curation.time_limit_seconds=600"


def run_here(project: Project, *assignments: str) -> int:
    """What `soraflow run --select raw_videos --set …` does, in this process, which has imported Dagster."""
    change(project.root, None, list(assignments))
    return lineage_run.execute("raw_videos", {})


def reasons(project: Project) -> dict[str, str | None]:
    return {row["path"]: row["reason_code"] for row in tables.read(project.table("raw_videos"))}


def how_it_came(project: Project) -> str:
    """What the newest materialisation of `raw_videos` says: made, unchanged or restored."""
    from dagster import AssetKey

    with DagsterInstance.from_config(str(project.dagster_home)) as instance:
        event = instance.get_latest_materialization_event(AssetKey("raw_videos"))
    assert event is not None
    assert event.asset_materialization is not None
    return str(event.asset_materialization.metadata["action"].value)


@pytest.mark.slow
def test_parked_inputs_from_the_exit_status_to_the_retry(
    empty, videos, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shell, project, films = empty, empty.project, tmp_path / "films"
    videos.empty(films / "nothing.mp4")

    nothing = shell("run", "--select", "raw_videos", "--videos", str(films), check=False)
    assert nothing.returncode == 3, nothing.stdout
    assert "all 1 videos were rejected" in nothing.stdout

    videos.slow_pan(films / "good.mp4")
    monkeypatch.setenv("SORAFLOW_PROJECT", str(project.root))
    for name, value in lineage_run.environment(project).items():
        monkeypatch.setitem(os.environ, name, value)
    assert run_here(project) == 0
    assert reasons(project) == {"good.mp4": None, "nothing.mp4": "empty"}

    videos.slow_pan(films / "slow.mp4", seed=3)
    many = shell("run", "--select", "raw_videos", "--set", SLOW, check=False)
    assert many.returncode == 4, many.stdout
    assert "raw_videos: 1 of 3 inputs are parked after 3 attempts each" in many.stdout
    assert "soraflow curate parked --step raw_videos --trace" in many.stdout

    shown = shell("curate", "parked", "--trace").stdout
    assert "slow.mp4" in shown
    assert "not done after 0.001 s (curation.time_limit_seconds)" in " ".join(shown.split())
    assert "nothing is parked by shots" in shell("curate", "parked", "--step", "shots").stdout
    assert (
        "there is no step 'shot'; steps are raw_videos,"
        in shell("curate", "parked", "--step", "shot", check=False).stderr
    )
    assert "nothing is parked that fits" in shell("curate", "retry", "--source", "good.mp4", check=False).stderr

    assert run_here(project, "curation.max_parked_share=0.5") == 0
    assert reasons(project) == {"good.mp4": None, "nothing.mp4": "empty", "slow.mp4": "too_slow"}
    assert run_here(project, FAST) == 0
    assert how_it_came(project) == "unchanged", "DVC does not watch the limit"

    assert "1 parked input will be tried again" in shell("curate", "retry").stdout
    assert run_here(project) == 0
    assert how_it_came(project) == "made"
    assert reasons(project) == {"good.mp4": None, "nothing.mp4": "empty", "slow.mp4": None}
    assert run_here(project) == 0
    assert how_it_came(project) == "unchanged"
