"""The held-out loss of a denoiser: the same noise and timesteps for the same samples, always.

`held_out_loss` is what training minimises: the mean squared error under the recipe's loss weights, as a weighted mean.
`held_out_error` is the same without weights, which compares across recipes that differ in them; with min-SNR weights
and zero terminal SNR it is mostly noise levels that training hardly touches. Every sample is looked at once in each
quarter of the timesteps.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from ops.config import Diffusion
from ops.training.diffusion import element_losses, loss_weights, scheduler
from ops.training.randomness import normal, uniform

PARTS = 4


@dataclass(frozen=True)
class HeldOutBatch:
    """`latent` [B, C, T, H, W] are posterior modes, normalised; `text` [B, L, D] with `text_mask` [B, L]."""

    sample_ids: Sequence[str]
    latent: Tensor
    text: Tensor
    text_mask: Tensor


@dataclass(frozen=True)
class HeldOutLoss:
    """`by_sample` maps each sample to its (error, loss weight) in each part of the timesteps, low noise first.

    Raises:
        ValueError: when there is no sample.
    """

    by_sample: dict[str, list[tuple[float, float]]]
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


def held_out_loss(model: nn.Module, batches: Iterable[HeldOutBatch], diffusion: Diffusion, seed: int) -> HeldOutLoss:
    """Measure a model in evaluation mode. Nothing depends on how the samples are batched, up to rounding."""
    return HeldOutLoss(errors_by_sample(model, batches, diffusion, seed), diffusion.train_timesteps)


@torch.no_grad()
def errors_by_sample(
    model: nn.Module, batches: Iterable[HeldOutBatch], diffusion: Diffusion, seed: int
) -> dict[str, list[tuple[float, float]]]:
    """For each sample its (error, loss weight) in each part of the timesteps, as `HeldOutLoss` takes them."""
    noise_schedule = scheduler(diffusion)
    weights = loss_weights(diffusion, noise_schedule)
    device = next(model.parameters()).device
    found: dict[str, list[tuple[float, float]]] = {}
    for batch in batches:
        columns = []
        for part in range(PARTS):
            timesteps = [_timestep(diffusion.train_timesteps, part, seed, name) for name in batch.sample_ids]
            noise = torch.stack(
                [normal(batch.latent.shape[1:], seed, "held out", part, name) for name in batch.sample_ids]
            )
            losses = element_losses(
                model,
                noise_schedule,
                batch.latent.to(device),
                noise.to(device),
                torch.tensor(timesteps, device=device),
                batch.text.to(device),
                batch.text_mask.to(device),
            )
            columns.append(zip(losses.double().cpu().tolist(), weights[timesteps].tolist(), strict=True))
        found.update(zip(batch.sample_ids, map(list, zip(*columns, strict=True)), strict=True))
    return found


def _timestep(train_timesteps: int, part: int, seed: int, sample_id: str) -> int:
    place = part + uniform(seed, "held out timestep", part, sample_id)
    return min(int(place * train_timesteps / PARTS), train_timesteps - 1)
