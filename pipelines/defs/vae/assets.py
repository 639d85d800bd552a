"""The video VAE, how well it reconstructs, and the latents that it makes of the training set."""

from typing import Any

import dagster as dg

from ops.runtime.artifacts import Artifact
from ops.runtime.project import Project
from ops.training.results import Adopted, Trained
from pipelines.factories.artifact_asset import artifact_asset
from pipelines.factories.modules import function
from pipelines.factories.training_asset import KINDS, training_asset

TRAINED = "The video VAE, trained on the training set's pixels (L1, LPIPS, KL, wavelet and adversarial losses)."
ADOPTED = "The video VAE, whose finished weights the recipe names (`vae.released`): registered, not trained."


def _train(project: Project, launch: Any, dataset: str) -> Artifact[Trained] | Artifact[Adopted]:
    return function("ops.training.assets:train_vae")(project, launch, dataset)


@dg.definitions
def vae() -> dg.Definitions:
    settings = Project.find().settings.vae
    name = settings.architecture
    return dg.Definitions(
        assets=[
            training_asset(
                name,
                group="vae",
                deps=["training_set"],
                train=_train,
                description=ADOPTED if settings.released else TRAINED,
                kinds=KINDS - {"deepspeed"} if settings.released else KINDS,
            ),
            artifact_asset(
                f"{name}_evaluation",
                group="vae",
                deps=[name, "training_set"],
                make=lambda project, dataset: function("ops.evaluation.reconstruction:evaluate")(project, dataset),
                of_training_set=True,
                description="PSNR, SSIM and LPIPS of held-out reconstructions under protocol vae-recon/v1.",
                kinds={"pytorch"},
                pool="accelerator",
            ),
            artifact_asset(
                "latents",
                group="vae",
                deps=[name, "training_set"],
                make=lambda project, dataset: function("ops.data.latents:cache_latents")(project, dataset),
                of_training_set=True,
                description="The posterior of every sample, computed once, with the latent scale and shift.",
                kinds={"pytorch", "safetensors"},
                pool="accelerator",
            ),
        ]
    )
