"""The champion: the released model, replaced only by a candidate that passes the gate."""

from datetime import timedelta

import dagster as dg

from ops.lineage import inputs
from ops.runtime.project import Project
from pipelines.factories.artifact_asset import result
from pipelines.resources.project import ProjectResource


@dg.definitions
def release() -> dg.Definitions:
    made_from = inputs(Project.find().settings)

    @dg.asset(
        deps=made_from["champion"],
        group_name="release",
        kinds={"mlflow"},
        pool="registry",
        freshness_policy=dg.FreshnessPolicy.time_window(fail_window=timedelta(days=45)),
    )
    def champion(context: dg.AssetExecutionContext, project: ProjectResource) -> dg.MaterializeResult[None]:
        """The best checkpoint becomes candidate; the gate re-reads the blocking checks, compares it with the
        champion prompt by prompt under the same protocol, and moves the registry's aliases only if it is no worse."""
        from ops.release.champion import release_candidate
        from ops.release.comparison.release_pages import release_pages
        from ops.release.standing import standing

        home = project.use_dataset()
        artifact = release_candidate(home)
        found = standing(home, artifact)
        context.log.info(artifact.results.decision if found.as_decided else found.sentence)
        pages = {name: dg.MetadataValue.url(address) for name, address in release_pages(home, artifact).items()}
        return result(home, artifact, registry=dg.MetadataValue.text(found.sentence), **pages)

    return dg.Definitions(assets=[champion])
