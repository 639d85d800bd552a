"""The denoiser: one asset for each stage of the preset, each starting from the one before."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import dagster as dg

from ops.config import Stage
from ops.runtime.artifacts import Artifact
from ops.runtime.project import Project
from ops.training.results import Trained
from pipelines.factories.artifact_asset import artifact_asset
from pipelines.factories.modules import function
from pipelines.factories.training_asset import training_asset

INPUTS = ["latents", "text_embeddings"]


def _train(stage: Stage) -> Callable[[Project, Any, str], Artifact[Trained]]:
    return lambda project, launch, _: function("ops.training.assets:train_stage")(project, stage.name, launch)


def _stage_asset(stage: Stage, before: Stage | None) -> dg.AssetsDefinition:
    start = f"starting from {before.name}" if before else "from scratch"
    return training_asset(
        f"denoiser_{stage.name}",
        group="denoiser",
        deps=[*([f"denoiser_{before.name}"] if before else []), *INPUTS],
        train=_train(stage),
        dataset=lambda project: function("ops.training.assets:dataset_of_stages")(project),
        description=f"The denoiser after {stage.schedule.steps:,} steps on {' and '.join(stage.kinds)} samples, "
        f"{start}.",
    )


@dg.definitions
def denoiser() -> dg.Definitions:
    stages = Project.find().settings.stages
    text_embeddings = artifact_asset(
        "text_embeddings",
        group="denoiser",
        deps=["training_set"],
        make=lambda project, dataset: function("ops.data.text_embeddings:cache_text")(project, dataset),
        of_training_set=True,
        description="The text encoder's last hidden state for every caption, computed once.",
        kinds={"huggingface", "safetensors"},
        pool="accelerator",
    )
    chain = [
        _stage_asset(stages[0], None),
        *(_stage_asset(stage, before) for before, stage in pairwise(stages)),
    ]
    return dg.Definitions(assets=[text_embeddings, *chain])
