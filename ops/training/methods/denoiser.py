"""Training of a denoiser stage on latents. Run by the launcher, as `python -m ops.training.methods.denoiser`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TypeVar

import torch

from models import released
from models.dit.denoiser import SkiparseDenoiser
from models.latent_scale import LatentScale
from models.latte import LatteDenoiser
from models.video_denoiser import VideoDenoiser
from ops.config import DenoiserStage, LowRankStage, Settings
from ops.data.buckets import Bucket
from ops.data.drawn_windows import DrawnWindows
from ops.data.latent_encoder import LatentEncoder
from ops.data.latents import LatentSet, LatentsResults
from ops.data.text_embeddings import OnlineText, TextResults, TextSet
from ops.runtime.artifacts import Artifact
from ops.training import networks
from ops.training.data.batch_sizes import largest
from ops.training.data.cached_latents import CachedLatents
from ops.training.data.captions import Captions, Texts
from ops.training.data.clips import FilmedClips
from ops.training.data.joined_latents import JoinedLatents
from ops.training.data.latent_batch import LatentBatch, LatentData
from ops.training.data.online_latents import OnlineLatents
from ops.training.data.samples import TrainingSamples
from ops.training.job import Job
from ops.training.methods.inputs import input_of, needed_vae
from ops.training.methods.lora import base_with_adapters
from ops.training.methods.method import Method, Setup
from ops.training.objectives.denoising import Denoising
from ops.training.pictures.held_out_samples import HeldOutSamples
from ops.training.validation.held_out import HeldOut
from ops.training.validation.held_out_loss import HeldOutError


def build_model(settings: Settings, latent_channels: int, seed: int, largest: Bucket) -> VideoDenoiser:
    """A freshly initialised denoiser, the same for the same seed; see `networks.denoiser`."""
    torch.manual_seed(seed)
    return networks.denoiser(settings.denoiser, latent_channels, settings.text_encoder.width, largest)


def compose(setup: Setup) -> Method[LatentBatch]:
    job, settings, stage = setup.job, setup.job.settings, setup.job.denoiser_stage
    diffusion = settings.denoiser.diffusion
    made = input_of(job, "latents", LatentsResults)
    scale = LatentScale.of(made.results.shift, made.results.scale)
    samples = samples_of(job, made, stage)
    latents, text = _latents(job, made, samples), text_of(job)
    captions = Captions(text, samples, settings.denoiser)
    return Method(
        model=as_the_stage_says(_start(job, scale.channels), stage),
        data=latents,
        objective=Denoising(diffusion, scale, captions, setup),
        validation=HeldOut(HeldOutError(diffusion, settings.seed, scale, captions, setup.sequence), latents, setup),
        pictures=HeldOutSamples(job, samples.looked_at, scale, text),
        remarks=list(foreign_scale(job)),
    )


D = TypeVar("D", bound=VideoDenoiser)


def as_the_stage_says(model: D, stage: DenoiserStage) -> D:
    """Ready to be trained: how sparse, and with what kept or compiled."""
    if stage.sparse_ratio and isinstance(model, SkiparseDenoiser):
        model.sparse_ratio = stage.sparse_ratio
    model.gradient_checkpointing = stage.gradient_checkpointing
    if stage.compile:
        for block in model.blocks:
            block.compile()
    return model


def samples_of(job: Job, made: Artifact[LatentsResults], stage: DenoiserStage) -> TrainingSamples:
    """What a stage is trained on, with the windows of clips as the latents have them."""
    samples = TrainingSamples.of(job, stage.kinds, stage.images_behind)
    if not made.results.redraw_windows:
        return samples
    drawn = DrawnWindows(job.project, job.dataset_version, job.training.dataset, job.settings.seed)
    return replace(samples, windows=drawn)


def _latents(job: Job, made: Artifact[LatentsResults], samples: TrainingSamples) -> LatentData:
    """Those that were kept, or those that the VAE will make on the way."""
    if made.results.mode == "cached":
        return _joined(CachedLatents(LatentSet(made), samples))
    encoder = LatentEncoder(job.project, needed_vae(job), job.settings.latents.encoder_dtype)
    return _joined(OnlineLatents(FilmedClips(job.project, samples, job.launch), encoder))


def _joined(latents: LatentData) -> LatentData:
    return JoinedLatents(latents) if latents.samples.behind else latents


def text_of(job: Job) -> Texts:
    made = input_of(job, "text_embeddings", TextResults)
    return TextSet(made) if made.results.mode == "cached" else OnlineText(job.project, made)


def _start(job: Job, latent_channels: int) -> VideoDenoiser:
    """The best average of the stage before, or a fresh model; a stage of adapters has these beside it."""
    if isinstance(job.denoiser_stage, LowRankStage):
        return base_with_adapters(job)
    stage = largest(job.training.dataset, job.training.kinds)
    if job.init_from is None:
        return build_model(job.settings, latent_channels, job.settings.seed, stage)
    model = released.from_pretrained(job.init_from.folder)
    if isinstance(model, SkiparseDenoiser):
        model.sparse_ratio = job.settings.denoiser.model.sparse_ratio
    else:
        assert isinstance(model, LatteDenoiser)
        model.config = replace(model.config, **networks.latte_scale(stage))
    return model.train()


def foreign_scale(job: Job) -> Iterator[str]:
    start = job.init_from
    if start and start.latents not in (None, job.inputs["latents"]):
        yield (
            f"it starts from {start.asset}, which was trained on other latents of the same VAE ({start.latents}), "
            "whose shift and scale may differ"
        )


if __name__ == "__main__":
    from ops.training.launching.program import main

    main(compose)
