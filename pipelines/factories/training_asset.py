"""Assets that train: checks re-read, then a program that DeepSpeed runs, then an artifact."""

from collections.abc import Callable, Sequence
from typing import Any

import dagster as dg

from ops.runtime.artifacts import Artifact
from ops.runtime.project import Project
from pipelines.factories.artifact_asset import result
from pipelines.factories.automation_conditions import RETRAIN
from pipelines.resources.project import ProjectResource
from pipelines.resources.training_process import TrainingProcess


def training_asset(
    name: str,
    *,
    group: str,
    deps: Sequence[str],
    train: Callable[[Project, Any], Artifact],
    description: str,
) -> dg.AssetsDefinition:
    @dg.asset(
        name=name,
        deps=list(deps),
        group_name=group,
        description=description,
        kinds={"deepspeed", "mlflow", "pytorch"},
        pool="accelerator",
        automation_condition=RETRAIN,
    )
    def asset(
        context: dg.AssetExecutionContext, project: ProjectResource, training_process: TrainingProcess
    ) -> dg.MaterializeResult:
        from ops.release.gate import require_checks

        home = project.use_dataset()
        # Blocking checks only block inside the run that made them; this run may have been started without them.
        require_checks(home)
        artifact = train(home, training_process.launcher(context))
        context.log.info(f"{name}: version {artifact.version}")
        return result(home, artifact)

    return asset
