"""A page among the files of an MLflow run, from where other pages link to it."""

from __future__ import annotations

from pathlib import Path

from ops.evaluation.checkpoint_run import run_of_scores
from ops.evaluation.checkpoint_scores import ASSET as SCORES
from ops.evaluation.scored_samples import homes
from ops.release.comparison.subject import Subject
from ops.runtime.artifacts import entries
from ops.runtime.pages import Pages
from ops.runtime.project import Project

FOLDER = "comparisons"
"""Of the pages, among the files of a run."""


def attach(project: Project, subject: Subject, page: Path, beside: Path | None) -> str:
    """Log a page, and the folder of videos beside it, with the run of a model's scores or, where it has none, of its
    training; returns where MLflow's page shows it.

    Raises:
        MlflowException, OSError: the store is away, or has lost the run.
    """
    from ops.runtime.tracking.connection import connect

    client, run = connect(project), _run(project, subject)
    client.log_artifact(run, str(page), FOLDER)
    if beside is not None:
        client.log_artifacts(run, str(beside), f"{FOLDER}/{beside.name}")
    experiment = client.get_run(run).info.experiment_id
    return Pages.of(project).mlflow_run(experiment, run, f"artifacts/{FOLDER}/{page.name}")


def _run(project: Project, subject: Subject) -> str:
    denoiser = subject.denoiser
    for home in homes(project, denoiser.asset):
        for found in entries(home, home.named(SCORES)):
            run = run_of_scores(found.folder)
            if found.inputs.get(denoiser.asset) == denoiser.version and run:
                return run
    return subject.run
