"""From an asset's page to what MLflow keeps of it: its run, its model, its version in the registry."""

from __future__ import annotations

import json

import dagster as dg

from ops.release.results import ReleaseResults
from ops.runtime.artifacts import Artifact, Results
from ops.runtime.pages import Pages
from ops.runtime.project import Project
from ops.training.results import Trained

MOST_INCIDENTS = 5
"""The last ones, which are linked from the page of an asset; its table has all."""


def links(project: Project, artifact: Artifact[Results]) -> dict[str, dg.MetadataValue]:
    """A link to each that the artifact names, and that MLflow still has."""
    pages, results = Pages.of(project), artifact.results
    found: dict[str, str] = {}
    trained = results if isinstance(results, Trained) else None
    run = _remembered(artifact) or (trained and trained.mlflow_run_id)
    if run and (experiment := _experiment(project, run)):
        found["MLflow run"] = pages.mlflow_run(experiment, run)
        for incident in trained.incidents[-MOST_INCIDENTS:] if trained else ():
            found[f"incident at step {incident.step}"] = pages.mlflow_run(experiment, run, f"artifacts/{incident.page}")
        if trained and trained.logged_model:
            found["MLflow model"] = pages.mlflow_checkpoint(experiment, trained.logged_model)
    if isinstance(results, ReleaseResults):
        found["MLflow version"] = pages.mlflow_version(results.registered_model, results.version)
    return {label: dg.MetadataValue.url(address) for label, address in found.items()}


def _remembered(artifact: Artifact[Results]) -> str | None:
    """The run that the folder remembers: of scores, or of a training, which may have been logged anew since."""
    path = artifact.folder / "run.json"
    return json.loads(path.read_text(encoding="utf-8"))["run_id"] if path.is_file() else None


def _experiment(project: Project, run: str) -> str | None:
    from mlflow.exceptions import MlflowException

    from ops.runtime.tracking.connection import connect

    try:
        return connect(project).get_run(run).info.experiment_id
    except MlflowException:  # somebody has removed the run, or the server is away: no reason to lose the result
        return None
