"""The held-out loss of a denoiser: the same noise and timesteps for the same samples, always.

It is the plain mean squared error of the prediction, without loss weights, so that it compares across settings that
differ in them. Every sample is looked at once in each quarter of the timesteps.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from ops.config import Diffusion
from ops.training.diffusion import element_losses, scheduler
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
    """`by_sample` maps each sample to its loss in each part of the timesteps, low noise first."""

    by_sample: dict[str, list[float]]
    train_timesteps: int

    @property
    def mean(self) -> float:
        return sum(self.parts) / PARTS

    @property
    def parts(self) -> list[float]:
        """The mean loss in each part of the timesteps."""
        values = [self.by_sample[sample_id] for sample_id in sorted(self.by_sample)]
        return [sum(column) / len(values) for column in zip(*values, strict=True)]

    def figures(self) -> dict[str, float]:
        """For a log: `held_out_loss`, and `held_out_loss.t0-249` and so on."""
        edges = [self.train_timesteps * part // PARTS for part in range(PARTS + 1)]
        names = [f"held_out_loss.t{low}-{high - 1}" for low, high in pairwise(edges)]
        return {"held_out_loss": self.mean, **dict(zip(names, self.parts, strict=True))}


@torch.no_grad()
def held_out_loss(model: nn.Module, batches: Iterable[HeldOutBatch], diffusion: Diffusion, seed: int) -> HeldOutLoss:
    """Measure a model in evaluation mode. Nothing depends on how the samples are batched, up to rounding.

    Raises:
        ValueError: when there is no sample.
    """
    noise_schedule = scheduler(diffusion)
    device = next(model.parameters()).device
    found: dict[str, list[float]] = {}
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
            columns.append(losses.double().cpu().tolist())
        found.update(zip(batch.sample_ids, map(list, zip(*columns, strict=True)), strict=True))
    if not found:
        raise ValueError("there is no held-out sample of these kinds: raise dataset.held_out_share, or add sources")
    return HeldOutLoss(found, diffusion.train_timesteps)


def _timestep(train_timesteps: int, part: int, seed: int, sample_id: str) -> int:
    place = part + uniform(seed, "held out timestep", part, sample_id)
    return min(int(place * train_timesteps / PARTS), train_timesteps - 1)
