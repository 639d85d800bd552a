"""Assets that end in an artifact: trained models, cached latents, samples, scores, the champion."""

from collections.abc import Callable, Sequence

import dagster as dg

from ops.lineage import inputs
from ops.runtime.artifacts import Artifact, Results
from ops.runtime.project import Project
from pipelines import pictures
from pipelines.factories import metadata, mlflow_links
from pipelines.factories.run_version import version_of_run
from pipelines.resources.project import ProjectResource

INPUT_VERSION = "dagster/input_data_version"


def artifact_asset(
    name: str,
    *,
    group: str,
    deps: Sequence[str],
    make: Callable[..., Artifact[Results]],
    description: str,
    kinds: set[str],
    pool: str | None = None,
    of_training_set: bool = False,
) -> dg.AssetsDefinition:
    """The asset of one artifact step, whose data version is the artifact's.

    `make` is given the project, and `of_training_set` the version of the training set that the run is about as well.
    """

    @dg.asset(
        name=name,
        deps=list(deps),
        group_name=group,
        description=description,
        kinds=kinds,
        pool=pool,
    )
    def asset(context: dg.AssetExecutionContext, project: ProjectResource) -> dg.MaterializeResult[None]:
        home = project.use_dataset()
        artifact = make(home, version_of_run(context, home)) if of_training_set else make(home)
        context.log.info(f"{name}: version {artifact.version}")
        return result(home, artifact)

    return asset


def result(project: Project, artifact: Artifact[Results], **more: dg.MetadataValue) -> dg.MaterializeResult[None]:
    """What Dagster remembers of an artifact, and `more` beside it.

    The versions of its inputs are those that it was made from, and not those that were current when its step began. An
    input of its inputs, which an artifact may name, too, is none for Dagster, which would call the asset unsynced.
    """
    direct = inputs(project.settings)[artifact.asset]
    seen = {**pictures.shown(project, artifact.folder), **mlflow_links.links(project, artifact)}
    return dg.MaterializeResult(
        data_version=dg.DataVersion(artifact.version),
        tags={f"{INPUT_VERSION}/{asset}": artifact.inputs[asset] for asset in direct if asset in artifact.inputs},
        metadata={
            **seen,  # first on the page, and …
            **metadata.values(artifact.results.as_json()),
            **seen,  # … in place of a result of the same name
            "folder": dg.MetadataValue.path(str(artifact.folder)),
            "fingerprint": artifact.fingerprint,
            **more,
        },
    )
