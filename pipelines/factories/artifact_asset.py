"""Assets that end in an artifact: trained models, cached latents, samples, scores, the champion."""

from collections.abc import Callable, Sequence

import dagster as dg

from ops.runtime.artifacts import Artifact
from ops.runtime.project import Project
from pipelines import pictures
from pipelines.factories import metadata, mlflow_links
from pipelines.resources.project import ProjectResource


def artifact_asset(
    name: str,
    *,
    group: str,
    deps: Sequence[str],
    make: Callable[[Project], Artifact],
    description: str,
    kinds: set[str],
    pool: str | None = None,
    automation_condition: dg.AutomationCondition | None = None,
) -> dg.AssetsDefinition:
    """The asset of one artifact step, whose data version is the artifact's."""

    @dg.asset(
        name=name,
        deps=list(deps),
        group_name=group,
        description=description,
        kinds=kinds,
        pool=pool,
        automation_condition=automation_condition,
    )
    def asset(context: dg.AssetExecutionContext, project: ProjectResource) -> dg.MaterializeResult:
        home = project.use_dataset()
        artifact = make(home)
        context.log.info(f"{name}: version {artifact.version}")
        return result(home, artifact)

    return asset


def result(project: Project, artifact: Artifact) -> dg.MaterializeResult:
    """What Dagster remembers of an artifact."""
    return dg.MaterializeResult(
        data_version=dg.DataVersion(artifact.version),
        metadata={
            "folder": dg.MetadataValue.path(str(artifact.folder)),
            "fingerprint": artifact.fingerprint,
            **metadata.values(artifact.results),
            **pictures.shown(project, artifact.folder),
            **mlflow_links.links(project, artifact),
        },
    )
