"""What MLflow holds of a finished training, and how it gets back what was deleted there.

Runs, experiments and logged models can be deleted on MLflow's page, and the whole store can be lost. The training's
folder holds all that they said, so that they are restored, or logged anew from there.
"""

from __future__ import annotations

import json
from typing import TypedDict

from pydantic import ValidationError

from ops.runtime.artifacts import Artifact
from ops.runtime.project import Project
from ops.training.checkpoints import store as checkpoints
from ops.training.job import FILE, Job
from ops.training.results import Checkpoint, Trained


class LostRecords(ValueError):
    """What MLflow has lost and cannot be given back; the message says what to make anew."""


def deleted_experiments(project: Project) -> list[str]:
    """Those of soraflow's experiments that MLflow keeps as deleted."""
    from mlflow.entities import ViewType

    from ops.runtime.tracking.connection import connect

    found = connect(project).search_experiments(ViewType.DELETED_ONLY, filter_string="name LIKE 'soraflow%'")
    return sorted(experiment.name for experiment in found)


def missing_records(project: Project, artifact: Artifact[Trained]) -> str | None:
    """What MLflow lacks of a training that was logged there, in words; None when it has everything."""
    from ops.runtime.tracking.connection import connect, model_exists, run_exists

    client = connect(project)
    if not run_exists(client, run_of(artifact)):
        return f"its run {run_of(artifact)} is gone or deleted"
    models = {row.step: _logged_model(artifact, row) for row in artifact.results.checkpoints}
    gone = [step for step, model in models.items() if model is None or not model_exists(client, model)]
    return f"the logged models of steps {', '.join(map(str, gone))} are gone" if gone else None


def restore_records(project: Project, artifact: Artifact[Trained]) -> None:
    """Have MLflow hold the run and the logged models of a finished training, from its folder where they are gone.

    Raises:
        LostRecords: when the folder does not tell enough.
    """
    from ops.runtime.tracking.connection import STORE_ERRORS
    from ops.training.recording.mlflow_run import MlflowRun

    try:
        missing = missing_records(project, artifact)
    except STORE_ERRORS as error:
        print(f"{artifact.asset}: MLflow does not answer, so its records were not looked at: {error}", flush=True)
        return
    if missing is None:
        return
    print(f"{artifact.asset}: {missing} in MLflow; logging it anew from {artifact.folder}", flush=True)
    folder, job = artifact.folder.resolve(), _job(project, artifact)
    run = MlflowRun(job, artifact.results.metric, {"soraflow.restored": "true"}, {}, system_metrics=False)
    for row in artifact.results.checkpoints:
        path = folder / row.folder
        held_out = checkpoints.read_state(path)["held_out"]
        run.log_checkpoint(path, row.step, checkpoints.content_hash(path, "ema"), held_out)
    run.settle(print)
    run.end("FINISHED")


def _job(project: Project, artifact: Artifact[Trained]) -> Job:
    """The training's own job, at the place where the project lies now."""
    path = artifact.folder / FILE
    try:
        job = Job.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as error:
        raise LostRecords(
            f"MLflow has lost what was logged of {artifact.asset}, and {path} is of another version of soraflow "
            f"({error.error_count()} settings differ): remove {artifact.folder} and train it anew with "
            f"`soraflow run --select {artifact.asset}`"
        ) from error
    return job.model_copy(update={"root": project.root.resolve(), "folder": artifact.folder.resolve()})


def run_of(artifact: Artifact[Trained]) -> str:
    """The id of a training's MLflow run; it is another than when it ended where it had to be logged anew."""
    return _memory(artifact).get("run_id") or artifact.results.mlflow_run_id


def logged_model(artifact: Artifact[Trained], step: int) -> str:
    """The id of the logged model of a kept checkpoint.

    Raises:
        LostRecords: when MLflow never had it.
    """
    row = next(row for row in artifact.results.checkpoints if row.step == step)
    found = _logged_model(artifact, row)
    if found is None:
        raise LostRecords(f"step {step} of {artifact.asset} was never logged in MLflow: make {artifact.asset} again")
    return found


def _logged_model(artifact: Artifact[Trained], row: Checkpoint) -> str | None:
    models = _memory(artifact).get("models", {})
    if not models:
        return row.logged_model
    return models.get(checkpoints.content_hash(artifact.folder / row.folder, "ema"), row.logged_model)


class _Memory(TypedDict, total=False):
    """What the training's own record of its MLflow run holds: `models` maps contents to logged models."""

    run_id: str
    models: dict[str, str]


def _memory(artifact: Artifact[Trained]) -> _Memory:
    path = artifact.folder / "run.json"
    memory: _Memory = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return memory
