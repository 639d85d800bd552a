"""The champion: the released model, replaced only by a candidate that passes the gate."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import dagster as dg

from ops.lineage import inputs
from ops.runtime.project import Project
from ops.training.trainings import lines
from pipelines.factories.artifact_asset import result
from pipelines.resources.project import ProjectResource

DESCRIPTION = (
    "The best checkpoint becomes candidate; the gate re-reads the blocking checks, compares it with the champion "
    "prompt by prompt under the same protocol, and moves the registry's aliases only if it is no worse."
)


@dg.definitions
def release() -> dg.Definitions:
    settings = Project.find().settings
    return dg.Definitions(assets=[_champion(inputs(settings), line) for line in lines(settings)])


def _champion(made_from: Mapping[str, Sequence[str]], line: str | None) -> dg.AssetsDefinition:
    """Of the recipe's own models, or of adapters beside them, under a name of their own in the registry."""
    name = f"{line}_champion" if line else "champion"

    @dg.asset(
        name=name,
        deps=list(made_from[name]),
        group_name="lora" if line else "release",
        description=f"{DESCRIPTION} Of {line}." if line else DESCRIPTION,
        kinds={"mlflow"},
        pool="registry",
        freshness_policy=None if line else dg.FreshnessPolicy.time_window(fail_window=timedelta(days=45)),
    )
    def champion(context: dg.AssetExecutionContext, project: ProjectResource) -> dg.MaterializeResult[None]:
        from ops.release.champion import release_candidate
        from ops.release.comparison.release_pages import release_pages
        from ops.release.standing import standing

        home = project.use_dataset().of_line(line)
        artifact = release_candidate(home)
        found = standing(home, artifact)
        context.log.info(artifact.results.decision if found.as_decided else found.sentence)
        pages = {name: dg.MetadataValue.url(address) for name, address in release_pages(home, artifact).items()}
        return result(home, artifact, registry=dg.MetadataValue.text(found.sentence), **pages)

    return champion
