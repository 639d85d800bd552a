"""Training of a denoiser on given frames. Run by the launcher, as `python -m ops.training.methods.image_condition`."""

from __future__ import annotations

import torch

from models import released
from models.control.image_condition import ImageConditionedDenoiser
from models.dit.denoiser import SkiparseDenoiser
from models.latent_scale import LatentScale
from ops.data.latent_encoder import LatentEncoder
from ops.data.latents import LatentsResults
from ops.training.data.captions import Captions
from ops.training.data.clips import FilmedClips
from ops.training.data.given_frames import GivenFrames
from ops.training.data.latent_batch import LatentBatch
from ops.training.data.online_latents import OnlineLatents
from ops.training.job import Job
from ops.training.methods.denoiser import as_the_stage_says, foreign_scale, samples_of, text_of
from ops.training.methods.inputs import input_of, needed_vae
from ops.training.methods.method import Method, Setup
from ops.training.objectives.denoising import Denoising
from ops.training.pictures.none import NoPictures
from ops.training.validation.held_out import HeldOut
from ops.training.validation.held_out_given import HeldOutGiven


def compose(setup: Setup) -> Method[LatentBatch]:
    job, settings, stage = setup.job, setup.job.settings, setup.job.image_condition
    diffusion = settings.denoiser.diffusion
    made = input_of(job, "latents", LatentsResults)
    scale = LatentScale.of(made.results.shift, made.results.scale)
    samples = samples_of(job, made, stage)
    encoder = LatentEncoder(job.project, needed_vae(job), settings.latents.encoder_dtype)
    latents = OnlineLatents(FilmedClips(job.project, samples, job.launch), encoder)
    captions = Captions(text_of(job), samples, settings.denoiser, stage.generic_caption_share)
    given = GivenFrames(stage, scale, setup.dtype)
    judged = HeldOutGiven(diffusion, settings.seed, scale, captions, given, setup.sequence)
    return Method(
        model=as_the_stage_says(_start(job), stage),
        data=latents,
        objective=Denoising(diffusion, scale, captions, setup, given),
        validation=HeldOut(judged, latents, setup),
        pictures=NoPictures("of a training on given frames"),
        remarks=list(foreign_scale(job)),
    )


def _start(job: Job) -> ImageConditionedDenoiser:
    """The last average of the row before, or the best of text to video with embeddings that add nothing yet."""
    assert job.init_from, "it starts from a stage of text to video, or from one of its own kind"
    before = released.from_pretrained(job.init_from.folder)
    assert isinstance(before, SkiparseDenoiser)
    before.sparse_ratio = job.settings.denoiser.model.sparse_ratio
    if isinstance(before, ImageConditionedDenoiser):
        return before.train()
    torch.manual_seed(job.settings.seed)
    model = ImageConditionedDenoiser(before.config)
    model.start_from(before)
    model.sparse_ratio = before.sparse_ratio
    return model.train()


if __name__ == "__main__":
    from ops.training.launching.program import main

    main(compose)
