"""Samples of the kept checkpoints, their scores, and the checkpoint that is chosen by them."""

import dagster as dg

from ops.lineage import inputs
from ops.runtime.project import Project
from pipelines.factories.artifact_asset import artifact_asset
from pipelines.factories.modules import function


@dg.definitions
def evaluation() -> dg.Definitions:
    made_from = inputs(Project.find().settings)
    return dg.Definitions(
        assets=[
            artifact_asset(
                "samples",
                group="evaluation",
                deps=made_from["samples"],
                make=lambda project: function("ops.evaluation.samples:make_samples")(project),
                description="Videos for the protocol's prompts and seeds, from every checkpoint that is scored.",
                kinds={"pytorch"},
                pool="accelerator",
            ),
            artifact_asset(
                "vbench",
                group="evaluation",
                deps=made_from["vbench"],
                make=lambda project: function("ops.evaluation.vbench:score")(project),
                description="The sixteen VBench dimensions; one whose weights are missing is a row that says so.",
                kinds={"parquet"},
            ),
            artifact_asset(
                "truth",
                group="truth",
                deps=made_from["truth"],
                make=lambda project: function("ops.evaluation.truth:score")(project),
                description="Whether videos of the made world show the colour, shape and direction of their prompts.",
                kinds={"numpy"},
            ),
            artifact_asset(
                "checkpoint_scores",
                group="evaluation",
                deps=made_from["checkpoint_scores"],
                make=lambda project: function("ops.evaluation.checkpoint_scores:score")(project),
                description="Every scored checkpoint of the last stage side by side, and the best of them.",
                kinds={"mlflow"},
            ),
        ]
    )
