"""A Dagster run that is killed in the middle of a training: running again goes on, in the same MLflow run."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import dagster as dg
import psutil
import pytest
import yaml

from ops.runtime.artifacts import current
from ops.runtime.project import Project
from ops.runtime.tracking.connection import connect
from ops.training.recording.metrics_file import read
from ops.training.results import Trained

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
STEPS = 24


def lengthen(project: Project) -> None:
    """A VAE training that is long enough to be killed."""
    path = project.root / "params.yaml"
    recipe = yaml.safe_load(path.read_text())
    recipe["vae"]["schedule"] = {**recipe["vae"]["schedule"], "steps": STEPS, "checkpoint_every": 4}
    path.write_text(yaml.safe_dump(recipe))


def under_way(project: Project, shell: subprocess.Popen[str], step: int) -> Path:
    """The folder of the training at work, once it has written down this step and a whole checkpoint."""
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        assert shell.poll() is None, f"the run ended before it could be killed: {shell.communicate()}"
        for metrics in (project.artifacts / "wfvae").glob("*/metrics.jsonl"):
            whole = list(metrics.parent.glob("checkpoints/*/COMPLETE"))
            if whole and any(line["step"] >= step for line in read(metrics)):
                return metrics.parent
        time.sleep(0.05)
    raise TimeoutError("no training step was seen")


def kill_dagster(shell: subprocess.Popen[str]) -> None:
    """SIGKILL to the process that executes the run, and to nothing else."""
    (run,) = [child for child in psutil.Process(shell.pid).children() if "pipelines.lineage_run" in child.cmdline()]
    ranks = run.children(recursive=True)
    run.kill()
    _, alive = psutil.wait_procs(ranks, timeout=30)
    assert not alive, "ranks outlived their Dagster run"


def test_a_killed_dagster_run_goes_on_in_the_same_mlflow_run(beside) -> None:
    project = beside.project
    lengthen(project)
    shell = beside.start("run", "--select", "wfvae")
    try:
        folder = under_way(project, shell, step=6)
        kill_dagster(shell)
        said, _ = shell.communicate(timeout=60)
    finally:
        shell.kill()
    assert shell.returncode == 1
    assert "run the same command again to go on" in said
    first = json.loads((folder / "run.json").read_text())["run_id"]
    assert max(line["step"] for line in read(folder / "metrics.jsonl")) < STEPS, "it was over before it was killed"

    beside("run", "--select", "wfvae")

    artifact = current(project, "wfvae", Trained)
    assert (artifact.folder, artifact.results.mlflow_run_id) == (folder, first)
    client = connect(project)
    experiment = client.get_run(first).info.experiment_id
    (run,) = client.search_runs([experiment], filter_string="tags.`soraflow.asset` = 'wfvae'")
    assert (run.info.run_id, run.info.status) == (first, "FINISHED")
    assert run.data.tags["soraflow.resumed"] == "true"
    with dg.DagsterInstance.from_config(str(project.dagster_home)) as instance:
        assert {each.status for each in instance.get_runs()} == {
            dg.DagsterRunStatus.SUCCESS,
            dg.DagsterRunStatus.FAILURE,
        }
