"""What `soraflow doctor` finds in the stores that others edit, too: MLflow's, its registry, and DVC's files."""

from __future__ import annotations

from collections.abc import Iterator

from ops.runtime.artifacts import Artifact, current_entry
from ops.runtime.project import Project
from ops.training.job import was_trained
from ops.training.results import Trained
from ops.training.trainings import trainings
from pipelines.terminal.finding import Finding


def dvc_files(project: Project) -> Iterator[Finding]:
    """`dvc.lock` and DVC's file of claims, either of which a crash may have left half written."""
    from ops.data.dvc_repository import BrokenLock, locked_stages, mend_claims

    for about, look in (("dvc.lock", locked_stages), ("DVC's claims", mend_claims)):
        try:
            look(project)
        except BrokenLock as error:
            yield Finding("wrong", about, str(error))
        else:
            yield Finding("ok", about, "whole")


def mlflow_records(project: Project) -> Iterator[Finding]:
    """Whether MLflow still holds what was logged there of the current trainings, and their experiments."""
    from ops.training.recording.mlflow_records import deleted_experiments, missing_records

    for name in deleted_experiments(project):
        yield Finding("note", "MLflow", f"the experiment {name} is deleted", "the next training restores it")
    whole = True
    for artifact in _trainings(project):
        if missing := missing_records(project, artifact):
            whole = False
            remedy = f"soraflow run --select {artifact.asset} logs it anew from {artifact.folder}"
            yield Finding("note", "MLflow", f"{artifact.asset}: {missing}", remedy)
    if whole:
        yield Finding("ok", "MLflow", "it has the runs and checkpoints of the current trainings")


def registry(project: Project) -> Iterator[Finding]:
    """Whether the last release is still what the registry says."""
    from ops.release.results import ReleaseResults
    from ops.release.standing import standing

    released = current_entry(project, "champion")
    if released is None:
        yield Finding("ok", "registry", "nothing has been released yet")
        return
    found = standing(project, released.of(ReleaseResults))
    yield Finding("ok" if found.as_decided else "note", "registry", found.sentence)


def _trainings(project: Project) -> list[Artifact[Trained]]:
    found = (current_entry(project, asset) for asset in trainings(project.settings))
    return [entry.of(Trained) for entry in found if entry and was_trained(entry.folder)]
