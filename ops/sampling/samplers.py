"""The samplers, from diffusers, set up as the model was trained (Open-Sora Plan v1.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ops.config import Diffusion


def sampler(name: str, diffusion: Diffusion, steps: int) -> Any:
    """A diffusers scheduler with its timesteps set.

    With zero terminal SNR the spacing is trailing, so that sampling starts at the timestep of pure noise on which
    the model was trained; without it, leading.
    """
    from diffusers import DDIMScheduler, EulerAncestralDiscreteScheduler

    shared: dict[str, Any] = {
        "num_train_timesteps": diffusion.train_timesteps,
        "beta_start": diffusion.beta_start,
        "beta_end": diffusion.beta_end,
        "beta_schedule": diffusion.beta_schedule,
        "prediction_type": diffusion.prediction,
        "rescale_betas_zero_snr": diffusion.zero_terminal_snr,
        "timestep_spacing": "trailing" if diffusion.zero_terminal_snr else "leading",
    }
    scheduler: Any
    if name == "ddim":
        scheduler = DDIMScheduler(**shared, clip_sample=False, set_alpha_to_one=True)
    elif name == "euler_ancestral":
        scheduler = EulerAncestralDiscreteScheduler(**shared)
    else:
        raise ValueError(f"unknown sampler '{name}'; there are ddim and euler_ancestral")
    scheduler.set_timesteps(steps)
    return scheduler
