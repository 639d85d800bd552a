"""Assets that train: checks re-read, then a program that DeepSpeed runs, then an artifact."""

from collections.abc import Callable, Sequence, Set
from typing import Any

import dagster as dg

from ops.runtime.artifacts import Artifact
from ops.runtime.project import Project
from ops.training.results import Adopted, Trained
from pipelines.factories.artifact_asset import result
from pipelines.factories.run_version import version_of_run
from pipelines.resources.project import ProjectResource
from pipelines.resources.training_process import TrainingProcess

KINDS = frozenset({"deepspeed", "mlflow", "pytorch"})


def training_asset(
    name: str,
    *,
    group: str,
    deps: Sequence[str],
    train: Callable[[Project, Any, str], Artifact[Trained] | Artifact[Adopted]],
    description: str,
    dataset: Callable[[Project], str] | None = None,
    kinds: Set[str] = KINDS,
) -> dg.AssetsDefinition:
    """The asset of a training: `train` is given the project, a launch function and the version of the training set.

    `dataset` tells that version; None is the one that the run is about.
    """

    @dg.asset(
        name=name,
        deps=list(deps),
        group_name=group,
        description=description,
        kinds=set(kinds),
        pool="accelerator",
    )
    def asset(
        context: dg.AssetExecutionContext, project: ProjectResource, training_process: TrainingProcess
    ) -> dg.MaterializeResult:
        from ops.data.dataset_version import keep
        from ops.data.findings import require_checks
        from ops.training.readiness import require_ready

        home = project.use_dataset()
        version = dataset(home) if dataset else version_of_run(context, home)
        # Blocking checks only block inside the run that made them; this run may have been started without them.
        kept = keep(home, version)
        require_checks(home, kept.made_from)
        for note in require_ready(home, kept.folder, _selected(context)):
            context.log.warning(note)
        artifact = train(home, training_process.launcher(context), version)
        context.log.info(f"{name}: version {artifact.version}")
        return result(home, artifact)

    return asset


def _selected(context: dg.AssetExecutionContext) -> set[str]:
    """What this run is to make; all, where nothing was selected."""
    selection = context.run.asset_selection
    keys = context.job_def.asset_layer.asset_graph.get_all_asset_keys() if selection is None else selection
    return {key.to_user_string() for key in keys}
