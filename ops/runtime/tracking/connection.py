"""The project's MLflow store: how it is reached, what it still has, and what may be brought back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from mlflow.tracking._tracking_service.utils import _artifact_repos_cache

from ops.runtime.project import Project
from ops.runtime.tracking.moved_store import follow_move

Answer = TypeVar("Answer")
STORE_ERRORS = (MlflowException, OSError)
"""What a call of MLflow raises when the store is away, whatever it is: a server, a database, a folder of artifacts."""


def connect(project: Project) -> MlflowClient:
    """Point MLflow at the project's store, which learns where the project lies now if it has been moved."""
    (project.var / "mlflow").mkdir(parents=True, exist_ok=True)
    if follow_move(project):
        _artifact_repos_cache.clear()  # by id: MLflow remembers, for this process, where it has found artifacts
    mlflow.set_tracking_uri(project.tracking_uri)
    return MlflowClient(project.tracking_uri)


def run_exists(client: MlflowClient, run_id: str) -> bool:
    """Whether MLflow has this run, and not among the deleted."""
    run = _found(lambda: client.get_run(run_id))
    return run is not None and run.info.lifecycle_stage == "active"


def revive_run(client: MlflowClient, run_id: str) -> bool:
    """Bring a run back if it was deleted, alone or with its experiment; False when MLflow does not know it, and it has
    to be logged anew."""
    run = _found(lambda: client.get_run(run_id))
    if run is not None and run.info.lifecycle_stage == "deleted":
        if client.get_experiment(run.info.experiment_id).lifecycle_stage == "deleted":
            client.restore_experiment(run.info.experiment_id)
        if client.get_run(run_id).info.lifecycle_stage == "deleted":
            client.restore_run(run_id)
    return run is not None


def model_exists(client: MlflowClient, model_id: str) -> bool:
    """Whether MLflow has this logged model, and not among the deleted."""
    return _found(lambda: client.get_logged_model(model_id)) is not None


def _found(ask: Callable[[], Answer]) -> Answer | None:
    """MLflow's answer, or None when it does not know what it was asked for."""
    try:
        return ask()
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise


def first_line(error: Exception) -> str:
    """Its first line; SQLAlchemy's errors go on with advice."""
    return str(error).partition("\n")[0]
