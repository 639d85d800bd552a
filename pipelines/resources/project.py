"""The project that the assets of this code location work in."""

import dagster as dg

from ops.runtime.project import Project


class ProjectResource(dg.ConfigurableResource):
    """Hands out the project of the working directory, or of SORAFLOW_PROJECT."""

    def get(self) -> Project:
        return Project.find()
