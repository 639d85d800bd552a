"""Assets that train: checks re-read, then a program that DeepSpeed runs, then an artifact."""

import dagster as dg

from ops.training.trainings import Training
from pipelines.factories.artifact_asset import result
from pipelines.factories.run_version import version_of_run
from pipelines.resources.project import ProjectResource
from pipelines.resources.training_process import TrainingProcess


def training_asset(training: Training) -> dg.AssetsDefinition:
    """The asset of one of the recipe's trainings, on the version of the training set that it takes by itself, or else
    on the one that the run is about."""

    @dg.asset(
        name=training.asset,
        deps=list(training.inputs),
        group_name=training.procedure.group,
        description=training.description,
        kinds={"mlflow", "pytorch"} if training.adopted else {"deepspeed", "mlflow", "pytorch"},
        pool="accelerator",
    )
    def asset(
        context: dg.AssetExecutionContext, project: ProjectResource, training_process: TrainingProcess
    ) -> dg.MaterializeResult[None]:
        from ops.data.dataset_version import keep
        from ops.data.findings import require_checks
        from ops.training.assets import dataset_of, train
        from ops.training.readiness import require_ready

        home = project.use_dataset()
        version = dataset_of(home, training.asset) or version_of_run(context, home)
        # Blocking checks only block inside the run that made them; this run may have been started without them.
        kept = keep(home, version)
        require_checks(home, kept.made_from)
        for note in require_ready(home, kept.folder, _selected(context)):
            context.log.warning(note)
        artifact = train(home, training.asset, training_process.launcher(context), version)
        context.log.info(f"{training.asset}: version {artifact.version}")
        return result(home, artifact)

    return asset


def _selected(context: dg.AssetExecutionContext) -> set[str]:
    """What this run is to make; all, where nothing was selected."""
    selection = context.run.asset_selection
    keys = context.job_def.asset_layer.asset_graph.get_all_asset_keys() if selection is None else selection
    return {key.to_user_string() for key in keys}
