"""The version of the training set that a run is about, kept with the run as a tag.

A run that makes the training set is about what it made; another is about what was current when one of its assets first
asked. Curation beside it may replace `data/training_set` after that: the run goes on with its own.
"""

from __future__ import annotations

import fcntl

import dagster as dg

from ops.runtime.project import Project

TAG = "soraflow/training_set"


def name_version(context: dg.AssetExecutionContext, version: str) -> None:
    """Say that this run is about a version of the training set."""
    context.instance.add_run_tags(context.run_id, {TAG: version})


def version_of_run(context: dg.AssetExecutionContext, project: Project) -> str:
    """The version that this run is about; from now on it is, if nobody has asked before."""
    from ops.data.dvc import version

    project.var.mkdir(exist_ok=True)
    with (project.var / "run_version.lock").open("wb") as lock:  # two assets of a run may ask at once
        fcntl.flock(lock, fcntl.LOCK_EX)
        run = context.instance.get_run_by_id(context.run_id)
        named = run.tags.get(TAG) if run else None
        if named is None:
            named = version(project, "training_set")
            name_version(context, named)
    return named
