"""The held-out loss of a denoiser: the same noise and timesteps for the same samples, always.

`held_out_loss` is what training minimises: the mean squared error under the recipe's loss weights, as a weighted mean
(and without the bound of a learned variance).
`held_out_error` is the same without weights, which compares across recipes that differ in them; with min-SNR weights
and zero terminal SNR it is mostly noise levels that training hardly touches. Every sample is looked at once in each
quarter of the timesteps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn

from models.dit.sequence import ALONE, SequenceGroup
from models.latent_scale import LatentScale
from ops.config import Diffusion
from ops.training.data.captions import Captions
from ops.training.data.latent_batch import LatentBatch, modes
from ops.training.loop.randomness import normal, uniform
from ops.training.objectives.diffusion import element_losses, loss_weights, scheduler

PARTS = 4
Errors = list[tuple[float, float]]
"""A sample's (error, loss weight) in each part of the timesteps, low noise first."""


@dataclass(frozen=True)
class HeldOutBatch:
    """`latent` [B, C, T, H, W] are posterior modes, normalised; `text` [B, L, D] with `text_mask` [B, L]."""

    sample_ids: Sequence[str]
    latent: Tensor
    text: Tensor
    text_mask: Tensor


@dataclass(frozen=True)
class HeldOutLoss:
    """The errors of all samples, put together.

    Raises:
        ValueError: when there is no sample.
    """

    by_sample: Mapping[str, Errors]
    train_timesteps: int

    def __post_init__(self) -> None:
        if not self.by_sample:
            raise ValueError("there is no held-out sample of these kinds: raise dataset.held_out_share, or add sources")

    @property
    def mean(self) -> float:
        """The weighted mean: Σ weight · error / Σ weight."""
        pairs = [pair for sample_id in sorted(self.by_sample) for pair in self.by_sample[sample_id]]
        return sum(error * weight for error, weight in pairs) / sum(weight for _, weight in pairs)

    @property
    def of_samples(self) -> dict[str, float]:
        """What each sample adds to `mean`, which is the mean of these."""
        weight = sum(weight for pairs in self.by_sample.values() for _, weight in pairs) / len(self.by_sample)
        return {name: sum(error * w for error, w in pairs) / weight for name, pairs in self.by_sample.items()}

    @property
    def parts(self) -> list[float]:
        """The mean error in each part of the timesteps, unweighted."""
        values = [self.by_sample[sample_id] for sample_id in sorted(self.by_sample)]
        return [sum(error for error, _ in column) / len(values) for column in zip(*values, strict=True)]

    def figures(self) -> dict[str, float]:
        """For a log: `held_out_loss`, `held_out_error`, and `held_out_error.t0-249` and so on."""
        edges = [self.train_timesteps * part // PARTS for part in range(PARTS + 1)]
        names = [f"held_out_error.t{low}-{high - 1}" for low, high in pairwise(edges)]
        parts = dict(zip(names, self.parts, strict=True))
        return {"held_out_loss": self.mean, "held_out_error": sum(self.parts) / PARTS, **parts}


class HeldOutError:
    """Measures a denoiser on held-out latents. Nothing depends on how the samples are batched, up to rounding."""

    metric, higher_is_better, what = "held_out_loss", False, "held-out loss"

    def __init__(
        self,
        settings: Diffusion,
        seed: int,
        scale: LatentScale,
        captions: Captions,
        sequence: SequenceGroup = ALONE,
    ) -> None:
        self._errors = ErrorsByNoise(settings, seed, sequence)
        self._timesteps, self._scale, self._captions = settings.train_timesteps, scale, captions

    def values(self, model: nn.Module, batch: LatentBatch) -> list[Errors]:
        text, mask = self._captions.embedded(self._captions.plain(batch.sample_ids))
        return self._errors.of(model, HeldOutBatch(batch.sample_ids, modes(batch, self._scale), text, mask))

    def required(self, values: Mapping[str, Errors]) -> dict[str, list[float]]:
        return {name: [error for error, _ in pairs] for name, pairs in values.items()}

    def figures(self, values: Mapping[str, Errors]) -> dict[str, float]:
        return HeldOutLoss(values, self._timesteps).figures()

    def by_sample(self, values: Mapping[str, Errors]) -> dict[str, float]:
        return HeldOutLoss(values, self._timesteps).of_samples


class ErrorsByNoise:
    """A model's errors on samples at noise levels that are always the same for the same sample."""

    def __init__(self, settings: Diffusion, seed: int, sequence: SequenceGroup = ALONE) -> None:
        """`sequence` are the ranks that compute the same samples together."""
        self._settings, self._seed, self._sequence = settings, seed, sequence
        self._schedule = scheduler(settings)
        self._weights = loss_weights(settings, self._schedule)

    @torch.no_grad()
    def of(self, model: nn.Module, batch: HeldOutBatch, conditions: Mapping[str, Tensor] | None = None) -> list[Errors]:
        """For each sample of the batch, in its order; `conditions` are what the model is told besides."""
        calling = partial(self._sequence.calling(model), **(conditions or {}))
        device = next(model.parameters()).device
        columns = []
        for part in range(PARTS):
            timesteps = [_timestep(self._settings.train_timesteps, part, self._seed, name) for name in batch.sample_ids]
            noise = torch.stack(
                [normal(batch.latent.shape[1:], self._seed, "held out", part, name) for name in batch.sample_ids]
            )
            losses = element_losses(
                calling,
                self._schedule,
                batch.latent.to(device),
                noise.to(device),
                torch.tensor(timesteps, device=device),
                batch.text.to(device),
                batch.text_mask.to(device),
            )
            columns.append(zip(losses.error.double().cpu().tolist(), self._weights[timesteps].tolist(), strict=True))
        return [list(pairs) for pairs in zip(*columns, strict=True)]


def _timestep(train_timesteps: int, part: int, seed: int, sample_id: str) -> int:
    place = part + uniform(seed, "held out timestep", part, sample_id)
    return min(int(place * train_timesteps / PARTS), train_timesteps - 1)
