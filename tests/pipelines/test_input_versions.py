"""What Dagster is told that an artifact was made from."""

from __future__ import annotations

import pytest

from ops.lineage import inputs
from ops.runtime.artifacts import Artifact, Results
from ops.runtime.project import Project
from pipelines.factories.artifact_asset import INPUT_VERSION, result


@pytest.mark.parametrize("asset", ["wfvae", "denoiser_joint", "samples", "champion"])
def test_an_asset_has_versions_of_what_the_graph_says_it_depends_on_and_of_nothing_else(
    project: Project, asset: str
) -> None:
    """A stage names the training set that its latents are of, too."""
    direct = inputs(project.settings)[asset]
    named = {name: f"version of {name}" for name in {*direct, "training_set"}}
    folder = project.var / asset
    folder.mkdir(parents=True)
    told = result(project, Artifact(asset, "f" * 32, "v", named, {}, Results(), folder)).tags
    assert told == {f"{INPUT_VERSION}/{name}": f"version of {name}" for name in direct}
