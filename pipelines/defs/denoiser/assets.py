"""What the stages of the denoiser read besides latents, and finished weights that they may start from."""

import dagster as dg

from ops.config import Mode
from ops.lineage import inputs
from ops.runtime.project import Project
from ops.weights.results import BASE
from pipelines.factories.artifact_asset import artifact_asset
from pipelines.factories.modules import function

TEXT: dict[Mode, str] = {
    "cached": "The text encoder's last hidden state for every caption, computed once.",
    "online": "The text encoder, by which stages encode captions on the way.",
}


@dg.definitions
def denoiser() -> dg.Definitions:
    settings = Project.find().settings
    text_embeddings = artifact_asset(
        "text_embeddings",
        group="denoiser",
        deps=inputs(settings)["text_embeddings"],
        make=lambda project, dataset: function("ops.data.text_embeddings:make_text")(project, dataset),
        of_training_set=True,
        description=TEXT[settings.text_embeddings.mode],
        kinds={"huggingface", "safetensors"},
        pool="accelerator",
    )
    if not settings.denoiser.released:
        return dg.Definitions(assets=[text_embeddings])
    base = artifact_asset(
        BASE,
        group="denoiser",
        deps=inputs(settings)[BASE],
        make=lambda project: function("ops.training.base:make_base")(project),
        description="Finished weights of a denoiser (`denoiser.released`), from which the first stage starts.",
        kinds={"safetensors"},
    )
    return dg.Definitions(assets=[base, text_embeddings])
