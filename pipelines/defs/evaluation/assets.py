"""Samples of the kept checkpoints, their scores, and the checkpoint that is chosen by them."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import dagster as dg

from ops.lineage import inputs
from ops.runtime.project import Project
from ops.training.trainings import lines
from pipelines.factories.artifact_asset import artifact_asset
from pipelines.factories.modules import function

Asset: TypeAlias = dg.AssetsDefinition


@dg.definitions
def evaluation() -> dg.Definitions:
    settings = Project.find().settings
    return dg.Definitions(assets=[each for line in lines(settings) for each in _of_line(inputs(settings), line)])


def _of_line(made_from: Mapping[str, Sequence[str]], line: str | None) -> list[dg.AssetsDefinition]:
    """The recipe's own samples and their scores, or those of adapters beside it, in the group of these."""
    before, of = (f"{line}_", f" Of {line}.") if line else ("", "")

    def asset(name: str, group: str, make: str, description: str, kind: str, pool: str | None = None) -> Asset:
        return artifact_asset(
            f"{before}{name}",
            group="lora" if line else group,
            deps=made_from[f"{before}{name}"],
            make=lambda project: function(make)(project.of_line(line)),
            description=description + of,
            kinds={kind},
            pool=pool,
        )

    return [
        asset(
            "samples",
            "evaluation",
            "ops.evaluation.samples:make_samples",
            "Videos for the protocol's prompts and seeds, from every checkpoint that is scored.",
            "pytorch",
            "accelerator",
        ),
        asset(
            "vbench",
            "evaluation",
            "ops.evaluation.vbench:score",
            "The sixteen VBench dimensions; one whose weights are missing is a row that says so.",
            "parquet",
        ),
        asset(
            "truth",
            "truth",
            "ops.evaluation.truth:score",
            "Whether videos of the made world show the colour, shape and direction of their prompts.",
            "numpy",
        ),
        asset(
            "checkpoint_scores",
            "evaluation",
            "ops.evaluation.checkpoint_scores:score",
            "Every scored checkpoint of the last stage side by side, and the best of them.",
            "mlflow",
        ),
    ]
