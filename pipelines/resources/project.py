"""The project that the assets of this code location work in."""

from dataclasses import replace

import dagster as dg
from pydantic import PrivateAttr

from ops.runtime.project import Project
from pipelines.lineage_run import PIPELINE_RUN_TAG


class ProjectResource(dg.ConfigurableResource):
    """Hands out the project of the working directory, or of SORAFLOW_PROJECT."""

    _pipeline_run: str | None = PrivateAttr(default=None)

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        if context.run:
            self._pipeline_run = context.run.tags.get(PIPELINE_RUN_TAG, context.run.run_id)

    def get(self) -> Project:
        return replace(Project.find(), pipeline_run=self._pipeline_run)
