"""A failed run in words: which asset, why, what happens next, and where to read more."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import dagster as dg

from ops.runtime.alerts import Failure
from ops.runtime.pages import Pages
from ops.runtime.project import Project
from pipelines import run_tags
from pipelines.check_steps import checked_table

IMPLICIT_JOB = "__ASSET_JOB"
"""What Dagster calls a run of assets that somebody has selected."""
WILL_RETRY_TAG = "dagster/will_retry"
NAMED = 3
LONGEST = 600
"""Characters of a reason; the rest is in the log."""


def explained(instance: dg.DagsterInstance, project: Project, run_id: str, message: str | None) -> Failure:
    """What is on record of a run that has failed. `message` is Dagster's own account of it."""
    run = instance.get_run_by_id(run_id)
    assert run is not None
    events = instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    failed = {_what(entry.dagster_event.step_key): _why(entry.dagster_event) for entry in events if entry.dagster_event}
    pages = Pages.of(project)
    links = {"run": pages.dagster_run(run_id)}
    for asset in failed:
        links |= _training_links(project, pages, asset, _started(instance, run_id))
    links.setdefault("log", str(_log(project, run)))
    return Failure(
        run_id=run_id,
        name=name_of(run),
        failed=failed,
        message=message or "Dagster gives no reason",
        next=_next(run, project),
        links=links,
    )


def name_of(run: dg.DagsterRun) -> str:
    """The job; or, of a run of selected assets, some of their names."""
    if run.job_name != IMPLICIT_JOB:
        return run.job_name
    assets = sorted(key.to_user_string() for key in run.asset_selection or ())
    more = f" and {len(assets) - NAMED} more" if len(assets) > NAMED else ""
    return f"{', '.join(assets[:NAMED])}{more}" if assets else "a selection of assets"


def _what(step: str | None) -> str:
    step = step or "a step"
    table = checked_table(step)
    return f"the check of {table}" if table else step


def _why(event: dg.DagsterEvent) -> str:
    """The message of the error that started it all, without its trace."""
    error = event.step_failure_data.error
    while error is not None and error.cause is not None:
        error = error.cause
    text = error.message.strip() if error is not None else event.message or "no reason is on record"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _next(run: dg.DagsterRun, project: Project) -> str:
    if run.tags.get(WILL_RETRY_TAG) == "true" and run.remote_job_origin is not None:
        return "Dagster tries again by itself, from where it stopped."
    return "Dagster does not try again: remove the cause, then run it again; what is finished is not made twice."


def _started(instance: dg.DagsterInstance, run_id: str) -> float:
    record = instance.get_run_record_by_id(run_id)
    return record.start_time or 0.0 if record else 0.0


def _training_links(project: Project, pages: Pages, asset: str, since: float) -> dict[str, str]:
    """The logs of the ranks and the MLflow run of a training that was at work in this run."""
    folders: Sequence[Path] = [path.parent for path in (project.artifacts / asset).glob("*/logs/*.log")]
    touched = [path for path in map(Path, folders) if path.stat().st_mtime >= since]
    if not touched:
        return {}
    logs = max(touched, key=lambda path: path.stat().st_mtime)
    links = {"log": str(logs)}
    remembered = logs.parent / "run.json"
    if remembered.is_file():
        from mlflow.exceptions import MlflowException

        from ops.runtime.tracking.connection import connect

        run_id = json.loads(remembered.read_text(encoding="utf-8"))["run_id"]
        try:
            links["mlflow"] = pages.mlflow_run(connect(project).get_run(run_id).info.experiment_id, run_id)
        except MlflowException:  # somebody has deleted it there; the alert goes out all the same
            links["mlflow"] = pages.mlflow_trainings()
    return links


def _log(project: Project, run: dg.DagsterRun) -> Path:
    """What the run's process printed: of `soraflow run` its own file, otherwise what Dagster has caught."""
    token = run.tags.get(run_tags.PIPELINE_RUN)
    own = project.logs / "runs" / f"{token}.log"
    return own if token and own.is_file() else project.dagster_home / "storage" / run.run_id / "compute_logs"
