"""Scores of checkpoints in MLflow: an evaluation run whose metrics hang on each checkpoint's logged model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from ops.evaluation.protocol import Score
from ops.evaluation.samples import SamplesResults
from ops.evaluation.shown_videos import log_videos
from ops.runtime.artifacts import Artifact, R, Work
from ops.runtime.files import write_json
from ops.training.recording.mlflow_records import run_of
from ops.training.results import Trained

if TYPE_CHECKING:
    from mlflow.entities import Metric
    from mlflow.tracking import MlflowClient


def log_scores(
    work: Work[R],
    denoiser: Artifact[Trained],
    samples: Artifact[SamplesResults],
    models: dict[int, str],
    scores: dict[int, list[Score]],
) -> str:
    """Log every value at its step, linked to the logged model of that step, and videos; returns the run's id.

    An attempt that was interrupted goes on in the run that it began.
    """
    from mlflow.entities import Metric, RunTag

    from ops.runtime.tracking import pipeline_run
    from ops.runtime.tracking.connection import connect

    client = connect(work.project)
    run_id = _run(client, work, denoiser)
    pipeline_run.tell_above(client, run_id, None)
    protocols = {f"soraflow.protocol.{each.metric}": each.protocol.id for all_of in scores.values() for each in all_of}
    client.log_batch(run_id, tags=[RunTag(key, value) for key, value in protocols.items()])
    now = client.get_run(run_id).info.start_time
    logged = {(metric.key, metric.step) for metric in _history(client, run_id, scores)}
    metrics = [
        Metric(each.metric, each.value, now, step, model_id=models[step], run_id=run_id)
        for step, all_of in scores.items()
        for each in all_of
        if each.value is not None and (each.metric, step) not in logged
    ]
    client.log_batch(run_id, metrics=metrics)
    log_videos(client, run_id, samples)
    client.set_terminated(run_id, "FINISHED")
    pipeline_run.tell_above(client, run_id, "FINISHED")
    return run_id


def is_logged(work: Work[R]) -> bool:
    """Whether MLflow still has the run of these scores."""
    from ops.runtime.tracking.connection import connect, run_exists

    known = run_of_scores(work.folder)
    return known is not None and run_exists(connect(work.project), known)


def run_of_scores(folder: Path) -> str | None:
    """The id of the run that an artifact of scores remembers."""
    memory = folder / "run.json"
    return json.loads(memory.read_text(encoding="utf-8"))["run_id"] if memory.is_file() else None


def _run(client: MlflowClient, work: Work[R], denoiser: Artifact[Trained]) -> str:
    from ops.runtime.tracking import pipeline_run
    from ops.runtime.tracking.connection import revive_run

    known = run_of_scores(work.folder)
    if known is not None and revive_run(client, known):
        return known
    training = client.get_run(run_of(denoiser))
    project, dataset = work.project, denoiser.results.dataset_version
    run = client.create_run(
        pipeline_run.experiment_id(client, project),
        run_name=f"scores · {training.info.run_name}",
        tags={
            **pipeline_run.above(client, project, project.pipeline_run, project.settings, dataset),
            "soraflow.dataset_version": dataset,
            "soraflow.asset": work.asset,
            "soraflow.fingerprint": work.fingerprint,
            "soraflow.scored_run": training.info.run_id,
            "soraflow.scored": f"{denoiser.asset}@{denoiser.version}",
        },
    )
    write_json(work.folder / "run.json", {"run_id": run.info.run_id})
    return str(run.info.run_id)


def _history(client: MlflowClient, run_id: str, scores: dict[int, list[Score]]) -> list[Metric]:
    names = {each.metric for all_of in scores.values() for each in all_of if each.value is not None}
    return [metric for name in sorted(names) for metric in client.get_metric_history(run_id, name)]
