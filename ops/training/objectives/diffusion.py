"""The diffusion of Open-Sora Plan: noise schedule, prediction targets, loss weights, timesteps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, cast

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from ops.config import Diffusion
from ops.sampling.noise_schedule import arguments
from ops.training.objectives.learned_variance import bound, noised

if TYPE_CHECKING:
    from diffusers.schedulers.scheduling_ddpm import DDPMScheduler


def scheduler(diffusion: Diffusion) -> DDPMScheduler:
    """Diffusers' scheduler with our settings."""
    from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

    made: DDPMScheduler = DDPMScheduler(**arguments(diffusion), clip_sample=False)
    return made


def signal_to_noise(noise: DDPMScheduler) -> Tensor:
    """ᾱ / (1 − ᾱ) of every timestep; 0 at the last one when the terminal SNR is zero."""
    alphas = noise.alphas_cumprod.double()
    return alphas / (1 - alphas)


def loss_weights(diffusion: Diffusion, noise: DDPMScheduler) -> Tensor:
    """The weight of each timestep in the loss, float32 [train_timesteps]; ones without `min_snr_gamma`.

    min-SNR: min(SNR, γ) / (SNR + 1) for v, min(SNR, γ) / SNR for ε. With zero terminal SNR the first is 0 at the last
    timestep, and nearly so before it: sampling begins where nothing was learned. See `lost_timesteps`.
    """
    ratio = signal_to_noise(noise)
    if diffusion.min_snr_gamma is None:
        return torch.ones_like(ratio).float()
    capped = ratio.clamp(max=diffusion.min_snr_gamma)
    weights = capped / (ratio + 1) if diffusion.prediction == "v_prediction" else capped / ratio
    return weights.nan_to_num(nan=1.0).float()  # 0 / 0 for ε at the terminal timestep, whose limit is 1


def lost_timesteps(weights: Tensor, below: float = 1e-3) -> list[int]:
    """Timesteps whose weight is so small that they are hardly learned."""
    return torch.nonzero(weights < below).flatten().tolist()


def on_lost_timesteps(diffusion: Diffusion, weights: Tensor) -> list[str]:
    """For the log, when there are any."""
    lost = lost_timesteps(weights)
    if not lost:
        return []
    start = ": sampling starts there" if lost[-1] == len(weights) - 1 else ""
    return [
        f"min-SNR weighting (gamma {diffusion.min_snr_gamma}) leaves {len(lost)} of {len(weights)} timesteps with a "
        f"weight below 0.001, {runs(lost)}{start}. denoiser.diffusion.min_snr_gamma: null trains all timesteps alike"
    ]


def runs(timesteps: Sequence[int]) -> str:
    """Ascending timesteps in words: `0 and 804 to 999`."""
    firsts = [t for t, before in zip(timesteps, [None, *timesteps], strict=False) if before is None or t != before + 1]
    lasts = [t for t, after in zip(timesteps, [*timesteps[1:], None], strict=True) if after is None or after != t + 1]
    return " and ".join(str(a) if a == b else f"{a} to {b}" for a, b in zip(firsts, lasts, strict=True))


class Losses(NamedTuple):
    """Of each sample, float32 [B], unweighted: the mean squared error of what is predicted, and, of a denoiser that
    learns the variance of a sampling step, the bound that teaches it that, in bits a dimension."""

    error: Tensor
    bound: Tensor | None = None

    @property
    def sum(self) -> Tensor:
        return self.error if self.bound is None else self.error + self.bound


def element_losses(
    model: Callable[..., Tensor],
    noise_schedule: DDPMScheduler,
    latent: Tensor,
    noise: Tensor,
    timesteps: Tensor,
    text: Tensor,
    text_mask: Tensor | None,
    dtype: torch.dtype = torch.float32,
) -> Losses:
    """How far a prediction is off.

    `latent` [B, C, T, H, W] is clean and normalised, `timesteps` [B] integral. A model that gives twice the channels
    has learned the variance, too.
    """
    steps = cast(torch.IntTensor, timesteps)
    if noise_schedule.config["prediction_type"] == "v_prediction":
        noisy, target = (
            noise_schedule.add_noise(latent, noise, steps),
            noise_schedule.get_velocity(latent, noise, steps),
        )
    else:
        noisy, target = noised(noise_schedule, latent, noise, timesteps), noise
    predicted = model(noisy.to(dtype), timesteps, text.to(dtype), text_mask).float()
    prediction, *variance = predicted.split(latent.shape[1], dim=1)
    error = mse_loss(prediction, target.float(), reduction="none").flatten(1).mean(dim=1)
    if not variance:
        return Losses(error)
    return Losses(error, bound(noise_schedule, latent, noisy, prediction, variance[0], timesteps))


def stratified_timestep(train_timesteps: int, stratum: int, strata: int, chance: float) -> int:
    """The timestep of one sample, by a chance in [0, 1): the strata share 0…T−1 out among them.

    Stratum s of n draws round(U(T/n · s − ½, T/n · (s+1) − ½)). The published trainer has a stratum for each rank, the
    same in every step; here there is one for each sample of the global batch.
    """
    width = train_timesteps / strata
    drawn = round(width * (stratum + chance) - 0.5)
    return min(max(drawn, 0), train_timesteps - 1)
