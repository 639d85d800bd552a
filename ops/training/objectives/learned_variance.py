"""What a denoiser that learns the variance of a sampling step is taught about it (arXiv 2102.09672, §3.1 and §4).

Such a denoiser has twice the channels of its latent: the noise, and for each place v in [-1, 1], which stands for the
log-variance (v + 1)/2 · log β + (1 − v)/2 · log β̃ between that of a step and that of its posterior.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

if TYPE_CHECKING:
    from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

BYTE = 1 / 255
"""Half of the distance of two values of the first step's likelihood, which takes a latent for bytes in [-1, 1]."""


def noised(noise_schedule: DDPMScheduler, latent: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
    """A latent with noise. diffusers takes ᾱ from 1 in float32, which at the first timesteps leaves four digits of the
    noise's part; the bound, which divides by that, feels it."""
    place = _Place.of(noise_schedule, timesteps, latent)
    return place.signal_part * latent + place.noise_part * noise


def bound(
    noise_schedule: DDPMScheduler, latent: Tensor, noisy: Tensor, noise: Tensor, variance: Tensor, timesteps: Tensor
) -> Tensor:
    """The variational bound of each sample's step, float32 [B], in bits a dimension.

    `noise` and `variance` are the prediction, `latent` is clean; all but `timesteps` [B] are [B, C, T, H, W] in
    float32. The bound is to teach the variance alone, so that no gradient goes to the noise. At timestep 0 it is the
    likelihood of the latent in steps of 2/255, as published, although a latent has no such steps.
    """
    place = _Place.of(noise_schedule, timesteps, latent)
    share = (variance + 1) / 2
    log_variance = share * place.log_beta + (1 - share) * place.log_posterior
    clean = (noisy - place.noise_part * noise.detach()) / place.signal_part
    mean = place.of_clean * clean + place.of_noisy * noisy
    wanted = place.of_clean * latent + place.of_noisy * noisy
    divergence = 0.5 * (
        log_variance
        - place.log_posterior
        + (place.log_posterior - log_variance).exp()
        - 1
        + (wanted - mean).square() * (-log_variance).exp()
    )
    likelihood = -_log_likelihood(latent, mean, 0.5 * log_variance)
    bits = torch.where(timesteps.view(-1, 1, 1, 1, 1) == 0, likelihood, divergence) / math.log(2)
    return bits.flatten(1).mean(dim=1)


class _Place(NamedTuple):
    """Numbers of the noise schedule at each sample's timestep, [B, 1, 1, 1, 1]: β and β̃ (its posterior's) as logs, the
    parts of signal and noise, and those that a clean and a noisy latent have in the posterior's mean."""

    log_beta: Tensor
    log_posterior: Tensor
    signal_part: Tensor
    noise_part: Tensor
    of_clean: Tensor
    of_noisy: Tensor

    @classmethod
    def of(cls, noise_schedule: DDPMScheduler, timesteps: Tensor, like: Tensor) -> _Place:
        beta = noise_schedule.betas.double()
        after = (1 - beta).cumprod(dim=0)
        before = torch.cat([torch.ones(1, dtype=torch.float64), after[:-1]])
        posterior = beta * (1 - before) / (1 - after)
        posterior[0] = posterior[1]  # at the first step there is nothing left to be uncertain of
        of_each = cls(
            log_beta=beta.log(),
            log_posterior=posterior.log(),
            signal_part=after.sqrt(),
            noise_part=(1 - after).sqrt(),
            of_clean=beta * before.sqrt() / (1 - after),
            of_noisy=(1 - before) * (1 - beta).sqrt() / (1 - after),
        )
        at = timesteps.to("cpu")
        return cls(*(value[at].to(like).view(-1, 1, 1, 1, 1) for value in of_each))


def _log_likelihood(latent: Tensor, mean: Tensor, log_deviation: Tensor) -> Tensor:
    """Of values of which each stands for all within `BYTE` of it, the first and the last for all beyond them too."""
    narrow = (-log_deviation).exp()
    above, below = (_normal_below((latent - mean + edge) * narrow) for edge in (BYTE, -BYTE))
    inside = (above - below).clamp(min=1e-12).log()
    first, last = above.clamp(min=1e-12).log(), (1 - below).clamp(min=1e-12).log()
    return torch.where(latent < -0.999, first, torch.where(latent > 0.999, last, inside))


def _normal_below(x: Tensor) -> Tensor:
    """The share of a standard normal distribution below x, by the published approximation."""
    return 0.5 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
