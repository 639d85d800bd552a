"""Training of a denoiser stage on cached latents. Run by the launcher, as `python -m ops.training.methods.denoiser`."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from models import released
from models.dit.config import DenoiserConfig
from models.dit.denoiser import SkiparseDenoiser
from ops.config import Settings
from ops.data.latents import LatentSet, LatentsResults
from ops.data.text_embeddings import TextResults, TextSet
from ops.training.data.cached_latents import CachedLatents, LatentBatch
from ops.training.data.captions import Captions
from ops.training.data.samples import TrainingSamples
from ops.training.job import Job
from ops.training.methods.inputs import input_of
from ops.training.methods.method import Method, Setup
from ops.training.objectives.denoising import Denoising
from ops.training.pictures.held_out_samples import HeldOutSamples
from ops.training.validation.held_out import HeldOut
from ops.training.validation.held_out_loss import HeldOutError


def build_model(settings: Settings, latent_channels: int, seed: int) -> SkiparseDenoiser:
    """A freshly initialised denoiser, the same for the same seed."""
    torch.manual_seed(seed)
    shape = settings.denoiser.model.model_dump()
    return SkiparseDenoiser(
        DenoiserConfig(**shape, in_channels=latent_channels, text_width=settings.text_encoder.width)
    )


def compose(setup: Setup) -> Method[LatentBatch]:
    job, settings, stage = setup.job, setup.job.settings, setup.job.denoiser_stage
    diffusion = settings.denoiser.diffusion
    encoded = LatentSet(input_of(job, "latents", LatentsResults))
    text = TextSet(input_of(job, "text_embeddings", TextResults))
    samples = TrainingSamples.of(job, stage.kinds)
    latents = CachedLatents(encoded, samples)
    captions = Captions(text, samples, settings.denoiser)
    model = _start(job, encoded.scale.channels)
    if stage.sparse_ratio:
        model.sparse_ratio = stage.sparse_ratio
    model.gradient_checkpointing = stage.gradient_checkpointing
    if stage.compile:
        for block in model.blocks:
            block.compile()
    return Method(
        model=model,
        data=latents,
        objective=Denoising(diffusion, latents, captions, setup),
        validation=HeldOut(HeldOutError(diffusion, settings.seed, latents, captions, setup.sequence), latents, setup),
        pictures=HeldOutSamples(job, samples.looked_at, encoded, text),
        remarks=list(_foreign_scale(job)),
    )


def _start(job: Job, latent_channels: int) -> SkiparseDenoiser:
    """The best average of the stage before, or a fresh model."""
    if job.init_from is None:
        return build_model(job.settings, latent_channels, job.settings.seed)
    model = released.from_pretrained(job.init_from.folder)
    assert isinstance(model, SkiparseDenoiser)
    model.sparse_ratio = job.settings.denoiser.model.sparse_ratio
    return model.train()


def _foreign_scale(job: Job) -> Iterator[str]:
    start = job.init_from
    if start and start.latents not in (None, job.inputs["latents"]):
        yield (
            f"it starts from {start.asset}, which was trained on other latents of the same VAE ({start.latents}), "
            "whose shift and scale may differ"
        )


if __name__ == "__main__":
    from ops.training.launching.program import main

    main(compose)
