"""Batches of latents that were encoded before the training began."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ops.data.latents import LatentSet
from ops.training.data.left_out import UnusableSamples
from ops.training.data.prefetch import AHEAD
from ops.training.data.samples import TrainingSamples


@dataclass(frozen=True)
class CachedBatch:
    """Posteriors [B, C, t, h, w], on the CPU, as the VAE gave them."""

    sample_ids: tuple[str, ...]
    mean: Tensor
    log_variance: Tensor

    def posteriors(self) -> tuple[Tensor, Tensor]:
        return self.mean, self.log_variance


class CachedLatents:
    def __init__(self, latents: LatentSet, samples: TrainingSamples) -> None:
        self._latents, self.samples = latents, samples

    def read(self, sample_ids: Sequence[str], epoch: int = 0) -> CachedBatch:
        if lost := [name for name in sample_ids if name not in self._latents]:
            raise UnusableSamples(dict.fromkeys(lost, "it has no latent, for its source could not be read"))
        posteriors = {sample_id: self._latents[sample_id] for sample_id in sample_ids}
        unusable = [name for name, tensors in posteriors.items() if not all(t.isfinite().all() for t in tensors)]
        if unusable:
            raise UnusableSamples(dict.fromkeys(unusable, "its latent is not finite"))
        means, log_variances = zip(*(posteriors[sample_id] for sample_id in sample_ids), strict=True)
        return CachedBatch(tuple(sample_ids), torch.stack(means), torch.stack(log_variances))

    def ahead(self, samples: int) -> int:
        return AHEAD

    def close(self) -> None:
        """There is nothing to end."""
