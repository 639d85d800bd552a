"""The noise schedule of the recipe, as diffusers' schedulers are told it: trainings and samplers share it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypedDict

if TYPE_CHECKING:
    from ops.config import Diffusion

LEAST_SIGNAL = 2.0**-24
"""ᾱ at pure noise, for samplers that divide by it: as diffusers has it, the least number of float16 above 0."""


class NoiseSchedule(TypedDict):
    num_train_timesteps: int
    beta_start: float
    beta_end: float
    beta_schedule: str
    prediction_type: str
    rescale_betas_zero_snr: bool
    timestep_spacing: Literal["trailing", "leading"]


def arguments(diffusion: Diffusion) -> NoiseSchedule:
    """With zero terminal SNR the spacing is trailing, so that sampling starts at the timestep of pure noise on which
    the model was trained; without it, leading."""
    return {
        "num_train_timesteps": diffusion.train_timesteps,
        "beta_start": diffusion.beta_start,
        "beta_end": diffusion.beta_end,
        "beta_schedule": diffusion.beta_schedule,
        "prediction_type": diffusion.prediction,
        "rescale_betas_zero_snr": diffusion.zero_terminal_snr,
        "timestep_spacing": "trailing" if diffusion.zero_terminal_snr else "leading",
    }


def timesteps(diffusion: Diffusion, steps: int, to_zero: bool = True) -> list[int]:
    """Of so many sampling steps, the noisiest first (arXiv 2305.08891, table 2). Leading ones go down to 0 or, where
    the sampler cannot take so long a last step, one place less far.

    Where `steps` divides the training's timesteps they are those of diffusers. Elsewhere its leading ones begin below
    the noise that sampling starts from, as at 500 of 1000 for 501 steps, and of its trailing ones there is one too many
    for some numbers, as for 61.
    """
    import numpy as np

    total = diffusion.train_timesteps
    if diffusion.zero_terminal_snr:
        return [int(time) - 1 for time in np.arange(total, 0, -total / steps)[:steps].round()]
    if to_zero:
        return [step * total // steps for step in reversed(range(steps))]
    return [step * total // (steps + 1) for step in range(steps, 0, -1)]


def spacing_version(steps: int, train_timesteps: int = 1000) -> int | None:
    """Raised when so many sampling steps visit other timesteps than before, or go on from them otherwise; None where
    they never did."""
    return 2 if train_timesteps % steps else None


def is_pure_noise(diffusion: Diffusion, timestep: int) -> bool:
    """Whether nothing of the video is left at a timestep: there ε is the noisy latent itself, and v minus the clean
    one."""
    return diffusion.zero_terminal_snr and timestep == diffusion.train_timesteps - 1
