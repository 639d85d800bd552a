"""The whole graph, once, for real: what a user sees, and that running again does nothing twice."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import dagster as dg
import pytest

from ops.runtime import tables
from ops.runtime.artifacts import current
from ops.steps import STEPS
from ops.training.results import Trained

pytestmark = pytest.mark.timeout(900)


def dvc(root: Path, *arguments: str) -> str:
    program = Path(sys.executable).parent / "dvc"
    environment = {**os.environ, "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"}
    environment["SORAFLOW_PROJECT"] = str(root)
    done = subprocess.run([program, *arguments], cwd=root, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def instance(project) -> dg.DagsterInstance:
    return dg.DagsterInstance.from_config(str(project.dagster_home))


def materialisations(project, asset: str) -> list[dg.AssetMaterialization]:
    with instance(project) as found:
        records = found.fetch_materializations(dg.AssetKey(asset), limit=10).records
    return [record.asset_materialization for record in records]


def test_the_summary_tells_the_whole_story(finished) -> None:
    shown = (finished.project.root / "first_run.txt").read_text()
    for words in ("Curation", "Dataset version", "Training", "Reconstruction", "Checkpoints", "VBench", "Release"):
        assert words in shown
    assert "soraflow up" in shown


def test_every_asset_was_materialised_with_a_data_version(finished, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipelines.definitions import defs

    monkeypatch.setenv("SORAFLOW_PROJECT", str(finished.project.root))
    names = [key.to_user_string() for key in defs().resolve_asset_graph().get_all_asset_keys()]
    for name in names:
        assert materialisations(finished.project, name)[0].tags["dagster/data_version"], name


def test_the_dvc_hash_is_the_data_version(finished) -> None:
    from ops.data.dvc import version

    for name in STEPS:
        tags = materialisations(finished.project, name)[0].tags
        assert tags["dagster/data_version"] == version(finished.project, name), name


def test_some_clips_fell_out_each_with_its_reason(finished) -> None:
    rows = tables.read(finished.project.table("curated_clips"))
    rejected = [row for row in rows if row["rejected_by"]]
    assert rejected
    assert len(rejected) < len(rows)
    assert all(row["reason"] for row in rejected)


def test_dvc_agrees_that_nothing_is_left_to_do(finished) -> None:
    assert "up to date" in dvc(finished.project.root, "status")
    assert "Running stage" not in dvc(finished.project.root, "repro")


def test_a_colleague_pulls_the_dataset_into_a_fresh_clone(finished, tmp_path: Path) -> None:
    from ops.data.dvc import version
    from ops.runtime.project import Project

    root, clone = finished.project.root, tmp_path / "clone"
    dvc(root, "remote", "add", "--local", "--force", "--default", "shelf", str(tmp_path / "shelf"))
    dvc(root, "push")
    subprocess.run(["git", "clone", "-q", str(root), str(clone)], check=True)
    for name in ("dvc.lock", ".dvc/config.local"):  # the lock is committed, the remote known, among colleagues
        shutil.copy(root / name, clone / name)
    dvc(clone, "pull")
    for name in STEPS:
        assert version(Project(clone), name) == version(finished.project, name), name
    theirs, ours = (sorted(path.relative_to(base) for path in (base / "data").rglob("*")) for base in (clone, root))
    assert theirs == ours
    assert "up to date" in dvc(clone, "status")


def test_running_again_does_nothing_twice(finished) -> None:
    project = finished.project
    before = {name: materialisations(project, name)[0].tags["dagster/data_version"] for name in (*STEPS, "champion")}
    logs = sorted(project.artifacts.rglob("rank0.log"))
    stamps = [path.stat().st_mtime_ns for path in logs]
    finished("run")
    assert [path.stat().st_mtime_ns for path in sorted(project.artifacts.rglob("rank0.log"))] == stamps
    for name in STEPS:
        assert materialisations(project, name)[0].metadata["action"].value == "unchanged", name
    after = {name: materialisations(project, name)[0].tags["dagster/data_version"] for name in before}
    assert after == before


def test_each_stage_starts_from_the_one_before(finished) -> None:
    stages = finished.project.settings.stages
    for before, stage in pairwise(stages):
        start = current(finished.project, f"denoiser_{stage.name}", Trained).inputs[f"denoiser_{before.name}"]
        assert start == current(finished.project, f"denoiser_{before.name}", Trained).version


def test_generate_writes_a_video_and_its_settings(finished, tmp_path: Path) -> None:
    import av

    output = tmp_path / "rabbit.mp4"
    finished("generate", "a rabbit in a meadow", "--output", str(output), "--steps", "2")
    with av.open(str(output)) as container:
        frames = sum(1 for _ in container.decode(video=0))
    settings = json.loads(output.with_suffix(".json").read_text())
    assert frames == 9
    assert settings["request"]["prompt"] == "a rabbit in a meadow"


def test_trace_answers_what_made_the_champion(finished) -> None:
    from ops.data.dvc import version

    shown = finished("trace", "champion").stdout
    for stage in finished.project.settings.stages:
        assert f"denoiser_{stage.name}" in shown
    assert version(finished.project, "training_set") in shown
    assert "bikes.mp4" in shown or "bigbuckbunny.mp4" in shown


def test_rollback_without_a_previous_champion_says_so(finished) -> None:
    failed = finished("rollback", check=False)
    assert failed.returncode == 1
    assert "there is none before" in " ".join(failed.stderr.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--preset", "huge"], "preset 'huge' is unknown"),
        (["run", "--set", "dataset.num_frames=16"], "dataset.num_frames"),
        (["run", "--set", "curation.shosts.min_frames=1"], "did you mean 'shots'?"),
        (["run", "--select", "nonsense"], "nonsense"),
        (["generate", "a cat", "--height", "50"], "16"),
        (["generate", ""], "prompt"),
        (["generate", "a cat", "--checkpoint", "99"], "99"),
        (["trace", "99"], "99"),
        (["weights", "fetch", "lpips-alx"], "did you mean 'lpips-alex'?"),
    ],
)
def test_what_cannot_be_done_is_said_on_one_screen(finished, arguments: list[str], message: str) -> None:
    done = finished(*arguments, check=False)
    assert done.returncode != 0
    assert message in done.stderr
    assert "Traceback" not in done.stderr
