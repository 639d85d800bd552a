"""The runs that Dagster has on record: which of them are not over, what they will still write, and which are lost."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable
from pathlib import Path

import dagster as dg

from ops.release.retraining import Underway
from ops.steps import STEPS
from pipelines import run_tags
from pipelines.defs.automation.jobs import LINEAGE

UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
SECONDS_APART = 2.0
"""A process that began later than this after a run named its id has only the same id."""


def underway(instance: dg.DagsterInstance) -> Underway:
    """The oldest run that still has a part of the dataset to make, and the oldest that has something to train.

    A run of everything counts as curation until its dataset is made.
    """
    runs = instance.get_runs(dg.RunsFilter(statuses=UNFINISHED))[::-1]
    curation = next((run.run_id for run in runs if _left_to_curate(instance, run)), None)
    return Underway(curation, next((run.run_id for run in runs if trains(run)), None))


def trains(run: dg.DagsterRun) -> bool:
    """Whether the run makes anything beyond the dataset."""
    assets = _assets(run)
    return run.job_name == LINEAGE if assets is None else bool(assets - STEPS.keys())


def _left_to_curate(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    assets = _assets(run)
    steps = STEPS.keys() if assets is None else assets & STEPS.keys()
    if not steps or run.status != dg.DagsterRunStatus.STARTED:
        return bool(steps)
    stats = instance.get_run_step_stats(run.run_id, list(steps))
    return bool(steps - {each.step_key for each in stats if each.status and each.status.value == "SUCCESS"})


def _assets(run: dg.DagsterRun) -> set[str] | None:
    """Names of the assets that the run was asked for; None means all of its job."""
    return None if run.asset_selection is None else {key.to_user_string() for key in run.asset_selection}


def close_lost(instance: dg.DagsterInstance, sockets: Path | None = None) -> list[str]:
    """Declare failed every run of this machine whose process is gone, and free its pool slots; returns their ids.

    Who was killed cannot say so: Dagster would show the run as at work, and everything would wait for it, for ever. A
    run is this machine's if it says so itself, or if its code server listens in the folder `sockets`.
    """
    closed = []
    for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING])):
        if _is_here(run, sockets) and _is_gone(instance, run.run_id):
            instance.report_run_failed(
                run, message="The process of this run is gone; it was killed, or the machine was."
            )
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
            closed.append(run.run_id)
    return closed


def _is_here(run: dg.DagsterRun, sockets: Path | None) -> bool:
    if run_tags.HOST in run.tags:
        return run.tags[run_tags.HOST] == socket.gethostname()
    listening = json.loads(run.tags.get(run_tags.GRPC_INFO, "{}")).get("socket")
    return sockets is not None and listening is not None and Path(listening).parent == sockets


def _is_gone(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Whether the process that last said that it executes the run is no more; no if none has said so yet."""
    import psutil

    found = list(_processes(instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)))
    if not found:
        return False
    pid, moment = found[-1]
    try:
        process = psutil.Process(pid)
        return bool(process.status() == psutil.STATUS_ZOMBIE or process.create_time() > moment + SECONDS_APART)
    except psutil.NoSuchProcess:
        return True


def _processes(entries: Iterable[dg.EventLogEntry]) -> Iterable[tuple[int, float]]:
    """(process id, when it was named), oldest first."""
    for entry in entries:
        event = entry.dagster_event
        named = event.engine_event_data.metadata.get("pid") if event is not None else None
        if named is not None and named.value is not None:
            yield int(str(named.value)), entry.timestamp
