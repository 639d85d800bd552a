"""Training of the video VAE on pixels. Run by the launcher: `python -m ops.training.methods.wfvae --job JOB.json`."""

from __future__ import annotations

import torch

from models.wfvae.config import WFVAEConfig
from models.wfvae.vae import WFVAE
from ops.config import VaeModel
from ops.metrics.lpips import load_lpips
from ops.training.data.clips import Clips, FilmedClips
from ops.training.data.samples import TrainingSamples
from ops.training.methods.method import Method, Setup
from ops.training.objectives.critic import Critic, untrained
from ops.training.objectives.reconstruction import Reconstruction
from ops.training.pictures.reconstructions import Reconstructions
from ops.training.validation.held_out import HeldOut
from ops.training.validation.held_out_psnr import HeldOutPsnr


def build_model(model: VaeModel, seed: int) -> WFVAE:
    """A freshly initialised VAE, the same for the same seed."""
    torch.manual_seed(seed)
    return WFVAE(WFVAEConfig(**model.model_dump()))


def compose(setup: Setup) -> Method[Clips]:
    job, settings = setup.job, setup.job.settings
    losses, views = settings.vae.losses, settings.vae.views
    samples = TrainingSamples.of(job, job.training.kinds)
    clips = FilmedClips(job.project, samples, job.launch, views.zoom)
    model = build_model(settings.vae.model, settings.seed)
    lpips = load_lpips(job.project, losses.lpips_net).to(setup.device) if losses.lpips_weight else None
    adversarial = losses.discriminator_start < job.schedule.steps
    critic = Critic(losses, job.schedule.optimizer, untrained(losses).to(setup.device)) if adversarial else None
    return Method(
        model=model,
        data=clips,
        objective=Reconstruction(losses, views, lpips, critic, setup.device, setup.dtype),
        validation=HeldOut(HeldOutPsnr(samples), clips, setup),
        pictures=Reconstructions(clips),
        companions=[critic] if critic else [],
    )


if __name__ == "__main__":
    from ops.training.launching.program import main

    main(compose)
