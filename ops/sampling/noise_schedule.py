"""The noise schedule of the recipe, as diffusers' schedulers are told it: trainings and samplers share it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypedDict

if TYPE_CHECKING:
    from ops.config import Diffusion


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
