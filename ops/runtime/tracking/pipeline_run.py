"""MLflow's run above those of one run of the whole pipeline: its stages and scores lie under it, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ops.config import Settings
from ops.config.named import by_name
from ops.runtime.project import Project
from ops.runtime.tracking.moved_store import artifacts_of
from ops.runtime.tracking.run_names import latest, run_name

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

EXPERIMENT = "soraflow"
PARENT = "mlflow.parentRunId"
PIPELINE_RUN = "soraflow.pipeline_run"
PIPELINE = "pipeline"
"""What stands for the asset in the tags of a run above others."""
PARAMETERS_PER_CALL = 100  # the server's limit
LONGEST_PARAMETER = 6000

Status = Literal["FINISHED", "FAILED", "KILLED"]


def experiment_id(client: MlflowClient, project: Project) -> str:
    """The experiment that all runs lie in, for MLflow shows a run under another only within one. It is brought back,
    with its runs, if it was deleted."""
    found = client.get_experiment_by_name(EXPERIMENT)
    if found and found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
        print(f"the MLflow experiment '{EXPERIMENT}' was deleted; it has been restored, with its runs", flush=True)
    if found:
        return found.experiment_id
    if client.tracking_uri.startswith("sqlite"):
        return client.create_experiment(EXPERIMENT, artifact_location=artifacts_of(project))
    return client.create_experiment(EXPERIMENT)


def above(
    client: MlflowClient, project: Project, pipeline_run: str | None, settings: Settings, dataset: str
) -> dict[str, str]:
    """The tags that put a new run below that of its pipeline, which is made if this is the first; none without one."""
    if pipeline_run is None:
        return {}
    experiment = experiment_id(client, project)
    found = _parent(client, experiment, pipeline_run)
    if found is None:
        parameters = by_name(settings.model_dump(mode="json"))
        before = latest(client, experiment, PIPELINE)
        tags = {
            "soraflow.asset": PIPELINE,
            "soraflow.dataset_version": dataset,
            f"{PIPELINE_RUN}.{pipeline_run}": "true",
        }
        name = run_name(settings.name, dataset, parameters, {}, before)
        found = client.create_run(experiment, tags=tags, run_name=name)
        log_parameters(client, found.info.run_id, parameters)
    return {PARENT: found.info.run_id, PIPELINE_RUN: pipeline_run}


def go_on_under(client: MlflowClient, run: Run, pipeline_run: str | None) -> None:
    """A run that was interrupted is continued by another run of the pipeline: what that makes joins the first one's."""
    parent = run.data.tags.get(PARENT)
    if parent and pipeline_run and _parent(client, run.info.experiment_id, pipeline_run) is None:
        client.set_tag(parent, f"{PIPELINE_RUN}.{pipeline_run}", "true")


def tell_above(client: MlflowClient, run_id: str, status: Status | None) -> None:
    """How the pipeline stands is how its last run stands; None is at work."""
    parent = client.get_run(run_id).data.tags.get(PARENT)
    if parent is None:
        return
    if status is None:
        client.update_run(parent, status="RUNNING")
    else:
        client.set_terminated(parent, status)


def log_parameters(client: MlflowClient, run_id: str, values: dict[str, str]) -> None:
    from mlflow.entities import Param

    parameters = [Param(key, value[:LONGEST_PARAMETER]) for key, value in values.items()]
    for start in range(0, len(parameters), PARAMETERS_PER_CALL):
        client.log_batch(run_id, params=parameters[start : start + PARAMETERS_PER_CALL])


def _parent(client: MlflowClient, experiment: str, pipeline_run: str) -> Run | None:
    wanted = f"tags.`{PIPELINE_RUN}.{pipeline_run}` = 'true'"
    return next(iter(client.search_runs([experiment], wanted, max_results=1)), None)
