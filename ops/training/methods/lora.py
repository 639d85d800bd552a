"""Where a stage of adapters starts; all else of it is the training of a denoiser."""

from __future__ import annotations

import torch

from models import released
from models.adapters import LowRank, add_adapters
from models.video_denoiser import VideoDenoiser
from ops.training.job import Job
from ops.weights.content import weights_hash


def base_with_adapters(job: Job) -> VideoDenoiser:
    """The weights that it starts from, as sparse and with positions as they were trained, and untrained adapters."""
    assert job.init_from, "adapters are of a stage of text to video, or of finished weights"
    model, lora = released.denoiser_from_pretrained(job.init_from.folder), job.low_rank.lora
    torch.manual_seed(job.settings.seed)
    add_adapters(model, LowRank(lora.rank, lora.alpha, lora.targets, weights_hash(job.init_from.folder)))
    return model.train()
