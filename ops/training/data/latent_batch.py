"""What a denoiser learns from: draws from posteriors, wherever these come from, in its own units."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from models.latent_scale import LatentScale
from ops.training.methods.method import Draw, TrainingData


class LatentBatch(Protocol):
    """Samples of one size whose posteriors are known, or can be made."""

    @property
    def sample_ids(self) -> tuple[str, ...]: ...

    def posteriors(self) -> tuple[Tensor, Tensor]:
        """(mean, log-variance), float32 [B, C, t, h, w], as the VAE gives them."""
        ...


LatentData = TrainingData[LatentBatch]


def modes(batch: LatentBatch, scale: LatentScale) -> Tensor:
    """The most probable latents, in the denoiser's units."""
    mean, _ = batch.posteriors()
    return scale.normalised(mean)


def drawn(batch: LatentBatch, scale: LatentScale, draw: Draw) -> Tensor:
    """A draw from each posterior, in the denoiser's units. Its random numbers are keyed by step and place, so that they
    are the same however the posteriors were come by."""
    mean, log_variance = batch.posteriors()
    noise = draw.normal("posterior", len(batch.sample_ids), mean.shape[1:]).to(mean.device)
    return scale.normalised(mean + (0.5 * log_variance).exp() * noise)
