"""What others delete in MLflow comes back: restored where MLflow keeps it, otherwise from the training's folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ops.data.dvc import version as current_version
from ops.data.latents import LatentsIdentity, LatentsResults
from ops.data.samples import SAMPLES
from ops.runtime import tables
from ops.runtime.artifacts import Work, current
from ops.runtime.project import Project
from ops.runtime.tracking.connection import connect
from ops.training.assets import ForeignLatents, dataset_of
from ops.training.launching.launch import Command, run
from ops.training.recording.mlflow_records import deleted_experiments, logged_model, missing_records, run_of
from ops.training.results import Trained

pytestmark = pytest.mark.dist


def nothing(command: object) -> None:
    raise AssertionError("it was trained again")


def test_what_is_gone_from_mlflow_comes_back(
    uninterrupted: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One training, for it takes seconds; its store is damaged in four ways, one after the other."""
    original, trained = uninterrupted("denoiser_joint")
    shutil.copytree(original.project.root, tmp_path / "lab")
    lab = type(original)(Project(tmp_path / "lab"))
    artifact = current(lab.project, trained.asset, Trained)
    client, run_id = connect(lab.project), run_of(artifact)
    assert missing_records(lab.project, artifact) is None
    last = artifact.results.checkpoints[-1].step

    client.delete_run(run_id)
    assert "is gone" in str(missing_records(lab.project, artifact))
    assert lab.train("denoiser_joint", nothing) == artifact
    assert client.get_run(run_id).info.lifecycle_stage == "active"

    client.delete_logged_model(logged_model(artifact, last))
    assert missing_records(lab.project, artifact) == f"the logged models of steps {last} are gone"
    lab.train("denoiser_joint", nothing)
    assert client.get_logged_model(logged_model(artifact, last)).params["step"] == str(last)

    client.delete_experiment(client.get_run(run_id).info.experiment_id)
    assert deleted_experiments(lab.project) == ["soraflow"]
    lab.train("denoiser_joint", nothing)
    assert deleted_experiments(lab.project) == []
    assert run_of(artifact) == run_id

    before = {name: history(client, run_id, name) for name in ("loss", "held_out_loss")}
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'empty.db'}")  # the store is lost
    lab.train("denoiser_joint", nothing)
    again = connect(lab.project)
    assert run_of(artifact) != run_id
    assert again.get_run(run_of(artifact)).info.status == "FINISHED"
    assert again.get_run(run_of(artifact)).data.tags["soraflow.dataset_version"] == artifact.results.dataset_version
    assert {name: history(again, run_of(artifact), name) for name in before} == before
    assert missing_records(lab.project, artifact) is None


def history(client: Any, run_id: str, name: str) -> dict[int, float]:
    return {metric.step: metric.value for metric in client.get_metric_history(run_id, name)}


def test_a_training_goes_on_with_its_version_when_curation_replaces_it(make_lab: Callable, tmp_path: Path) -> None:
    """A new file was curated after the training had begun, and before its processes read the samples."""
    lab = make_lab(tmp_path / "lab")
    version = dataset_of(lab.project, "denoiser_joint")
    assert version is not None

    def launch(command: Command) -> None:
        tables.write(lab.project.data / "training_set" / "samples.parquet", [], SAMPLES)
        lock = lab.project.root / "dvc.lock"
        lock.write_text(lock.read_text(encoding="utf-8").replace(version, "e" * 32), encoding="utf-8")
        run(command)

    artifact = lab.train("denoiser_joint", launch)
    assert current_version(lab.project, "training_set") == "e" * 32
    assert artifact.inputs["training_set"] == artifact.results.dataset_version == version
    tags = connect(lab.project).get_run(artifact.results.mlflow_run_id).data.tags
    assert tags["soraflow.dataset_version"] == version


def test_a_stage_does_not_start_from_weights_of_another_vae(uninterrupted: Callable, tmp_path: Path) -> None:
    original, _ = uninterrupted("denoiser_joint")
    shutil.copytree(original.project.root, tmp_path / "lab")
    lab = type(original)(Project(tmp_path / "lab"))
    latents = current(lab.project, "latents", LatentsResults)
    inputs = {**latents.inputs, "wfvae": "another"}
    foreign = Work(
        lab.project, "latents", inputs, LatentsIdentity(shard_samples=64, pixels={}, cuts=("dataset",)), LatentsResults
    )
    shutil.copytree(latents.folder, foreign.folder)
    foreign.finish("foreign", latents.results)
    with pytest.raises(ForeignLatents, match="soraflow run --select denoiser_joint"):
        lab.train("denoiser_video", nothing)
