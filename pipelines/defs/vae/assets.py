"""How well the video VAE reconstructs, and the latents that it makes of the training set."""

import dagster as dg

from ops.config import Mode
from ops.lineage import inputs
from ops.runtime.project import Project
from pipelines.factories.artifact_asset import artifact_asset
from pipelines.factories.modules import function

LATENTS: dict[Mode, str] = {
    "cached": "The posterior of every sample, computed once, with the latent scale and shift.",
    "online": "The latent scale and shift, measured over a part of the samples; stages encode them on the way.",
}


@dg.definitions
def vae() -> dg.Definitions:
    settings = Project.find().settings
    name, made_from = settings.vae.asset, inputs(settings)
    return dg.Definitions(
        assets=[
            artifact_asset(
                f"{name}_evaluation",
                group="vae",
                deps=made_from[f"{name}_evaluation"],
                make=lambda project, dataset: function("ops.evaluation.reconstruction:evaluate")(project, dataset),
                of_training_set=True,
                description="PSNR, SSIM and LPIPS of held-out reconstructions under protocol vae-recon/v1.",
                kinds={"pytorch"},
                pool="accelerator",
            ),
            artifact_asset(
                "latents",
                group="vae",
                deps=made_from["latents"],
                make=lambda project, dataset: function("ops.data.latent_making:make_latents")(project, dataset),
                of_training_set=True,
                description=LATENTS[settings.latents.mode],
                kinds={"pytorch", "safetensors"},
                pool="accelerator",
            ),
        ]
    )
