"""Batches of latents that were encoded before the training began."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ops.data.latents import LatentSet
from ops.training.data.left_out import UnusableSamples
from ops.training.data.samples import TrainingSamples
from ops.training.methods.method import Draw


@dataclass(frozen=True)
class LatentBatch:
    """Posteriors [B, C, t, h, w], on the CPU, as the VAE gave them."""

    sample_ids: tuple[str, ...]
    mean: Tensor
    log_variance: Tensor


class CachedLatents:
    def __init__(self, latents: LatentSet, samples: TrainingSamples) -> None:
        self._latents, self.samples = latents, samples

    def read(self, sample_ids: Sequence[str]) -> LatentBatch:
        posteriors = {sample_id: self._latents[sample_id] for sample_id in sample_ids}
        unusable = [name for name, tensors in posteriors.items() if not all(t.isfinite().all() for t in tensors)]
        if unusable:
            raise UnusableSamples(dict.fromkeys(unusable, "its latent is not finite"))
        means, log_variances = zip(*(posteriors[sample_id] for sample_id in sample_ids), strict=True)
        return LatentBatch(tuple(sample_ids), torch.stack(means), torch.stack(log_variances))

    def modes(self, batch: LatentBatch) -> Tensor:
        """The most probable latents, in the denoiser's units."""
        return self._latents.scale.normalised(batch.mean)

    def drawn(self, batch: LatentBatch, draw: Draw) -> Tensor:
        """A draw from each posterior, in the denoiser's units."""
        noise = draw.normal("posterior", len(batch.sample_ids), batch.mean.shape[1:])
        return self._latents.scale.normalised(batch.mean + (0.5 * batch.log_variance).exp() * noise)
