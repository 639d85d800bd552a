"""What the stages of the denoiser read besides latents."""

import dagster as dg

from ops.lineage import inputs
from ops.runtime.project import Project
from pipelines.factories.artifact_asset import artifact_asset
from pipelines.factories.modules import function


@dg.definitions
def denoiser() -> dg.Definitions:
    text_embeddings = artifact_asset(
        "text_embeddings",
        group="denoiser",
        deps=inputs(Project.find().settings)["text_embeddings"],
        make=lambda project, dataset: function("ops.data.text_embeddings:cache_text")(project, dataset),
        of_training_set=True,
        description="The text encoder's last hidden state for every caption, computed once.",
        kinds={"huggingface", "safetensors"},
        pool="accelerator",
    )
    return dg.Definitions(assets=[text_embeddings])
