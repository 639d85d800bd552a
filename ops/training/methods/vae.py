"""Training of a video VAE on pixels. Run by the launcher: `python -m ops.training.methods.vae --job JOB.json`."""

from __future__ import annotations

import torch

from models import released
from models.causal_vae import CausalVideoVAE
from models.causal_vae.image_init import initialise_from_image_vae
from models.video_vae import VideoVAE
from ops.config import CausalVae, Vae, VaeModel
from ops.metrics.lpips import load_lpips
from ops.training import networks
from ops.training.data.clips import Clips, FilmedClips
from ops.training.data.samples import TrainingSamples
from ops.training.job import Job
from ops.training.methods.method import Method, Setup
from ops.training.objectives.critic import Critic
from ops.training.objectives.reconstruction import Reconstruction
from ops.training.pictures.reconstructions import Reconstructions
from ops.training.validation.held_out import HeldOut
from ops.training.validation.held_out_psnr import HeldOutPsnr


def build_model(model: VaeModel, seed: int) -> VideoVAE:
    """A freshly initialised VAE, the same for the same seed."""
    torch.manual_seed(seed)
    return networks.vae(model)


def compose(setup: Setup) -> Method[Clips]:
    job, section = setup.job, setup.job.vae
    losses, views = section.losses, section.views
    samples = TrainingSamples.of(job, job.training.kinds)
    clips = FilmedClips(job.project, samples, job.launch, views.zoom)
    model = _start(job, section)
    lpips = load_lpips(job.project, losses.lpips_net).to(setup.device) if losses.lpips_weight else None
    adversarial = losses.discriminator_start < job.schedule.steps
    critic = (
        Critic(losses, job.schedule.optimizer, networks.discriminator(losses).to(setup.device)) if adversarial else None
    )
    return Method(
        model=model,
        data=clips,
        objective=Reconstruction(losses, views, lpips, critic, setup.device, setup.dtype),
        validation=HeldOut(HeldOutPsnr(samples), clips, setup),
        pictures=Reconstructions(clips),
        companions=[critic] if critic else [],
    )


def _start(job: Job, section: Vae) -> VideoVAE:
    """The best average of the stage before, an image VAE's weights, or a fresh model."""
    if job.init_from:
        torch.manual_seed(job.settings.seed)  # for the critic, which is to be the same on every rank
        model = released.from_pretrained(job.init_from.folder)
        assert isinstance(model, VideoVAE)
        model.train()
    else:
        model = build_model(section.model, job.settings.seed)
    if isinstance(section, CausalVae):
        assert isinstance(model, CausalVideoVAE)
        if section.image_vae:
            initialise_from_image_vae(model, released.read_weights(job.root / section.image_vae))
        if section.mix_factor is not None:
            model.reset_mix_factors(section.mix_factor)
    return model


if __name__ == "__main__":
    from ops.training.launching.program import main

    main(compose)
