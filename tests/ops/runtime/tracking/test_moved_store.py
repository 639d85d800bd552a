"""A project that was copied: what MLflow keeps of it lies in the copy, and the original is left alone."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import mlflow
import pytest

from ops.runtime.artifacts import current
from ops.runtime.project import Project
from ops.runtime.tracking.connection import connect
from ops.runtime.tracking.moved_store import UnreadableStore, artifacts_of, follow_move
from ops.training.results import Trained


def places(project: Project) -> dict[str, set[str]]:
    """Every address in the store, by its table."""
    client = connect(project)
    experiments = client.search_experiments()
    runs = client.search_runs([each.experiment_id for each in experiments])
    models = client.search_logged_models([each.experiment_id for each in experiments])
    return {
        "experiments": {each.artifact_location for each in experiments if each.name.startswith("soraflow")},
        "runs": {each.info.artifact_uri for each in runs},
        "models": {each.artifact_location for each in models},
    }


def files(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.rglob("*"))


def test_a_copied_project_writes_into_itself(world: Any, trained_world: Any, tmp_path: Path) -> None:
    original = files(trained_world.project.root)
    for table, found in places(world.project).items():
        assert found, table
        assert all(place.startswith(artifacts_of(world.project)) for place in found), table
    client = connect(world.project)
    note = tmp_path / "note.txt"
    note.write_text("made in the copy", encoding="utf-8")
    denoiser = current(world.project, "denoiser_video", Trained)
    client.log_artifact(denoiser.results.mlflow_run_id, str(note))
    model = denoiser.results.checkpoints[0].logged_model
    client.log_model_artifact(model, str(note))
    fetched = mlflow.artifacts.download_artifacts(run_id=denoiser.results.mlflow_run_id, artifact_path="note.txt")
    assert Path(fetched).read_text(encoding="utf-8") == "made in the copy"
    assert len([path for path in files(world.project.var / "mlflow" / "artifacts") if path.endswith("note.txt")]) == 2
    assert files(trained_world.project.root) == original


def test_it_is_done_once(world: Any, trained_world: Any) -> None:
    assert follow_move(world.project) == str(trained_world.project.var / "mlflow" / "artifacts")
    assert follow_move(world.project) is None


def test_other_stores_and_other_places_are_not_touched(world: Any, monkeypatch) -> None:
    store = world.project.var / "mlflow" / "mlflow.db"
    with sqlite3.connect(store) as database:
        database.execute("UPDATE experiments SET artifact_location = 's3://bucket/x' WHERE name = 'Default'")
        database.execute("UPDATE runs SET artifact_uri = 's3://bucket/run'")
    follow_move(world.project)
    with sqlite3.connect(store) as database:
        assert database.execute("SELECT DISTINCT artifact_uri FROM runs").fetchall() == [("s3://bucket/run",)]
        (place,) = database.execute("SELECT artifact_location FROM experiments WHERE name = 'Default'").fetchone()
    assert place == "s3://bucket/x"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert follow_move(world.project) is None


def test_a_damaged_store_is_told_with_its_remedy(project: Project) -> None:
    store = project.var / "mlflow" / "mlflow.db"
    store.parent.mkdir(parents=True)
    store.write_bytes(b"SQLite format 3\0" + b"half of it" * 100)
    with pytest.raises(UnreadableStore, match="put a copy in its place"):
        follow_move(project)
