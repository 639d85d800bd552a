"""The samplers, from diffusers, set up as the model was trained (Open-Sora Plan v1.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ops.sampling.noise_schedule import arguments

if TYPE_CHECKING:
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler
    from diffusers.schedulers.scheduling_euler_ancestral_discrete import EulerAncestralDiscreteScheduler

    from ops.config import Diffusion


def sampler(name: str, diffusion: Diffusion, steps: int) -> DDIMScheduler | EulerAncestralDiscreteScheduler:
    """A diffusers scheduler with its timesteps set."""
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler
    from diffusers.schedulers.scheduling_euler_ancestral_discrete import EulerAncestralDiscreteScheduler

    scheduler: DDIMScheduler | EulerAncestralDiscreteScheduler
    if name == "ddim":
        scheduler = DDIMScheduler(**arguments(diffusion), clip_sample=False, set_alpha_to_one=True)
    elif name == "euler_ancestral":
        scheduler = EulerAncestralDiscreteScheduler(**arguments(diffusion))
    else:
        raise ValueError(f"unknown sampler '{name}'; there are ddim and euler_ancestral")
    scheduler.set_timesteps(steps)
    return scheduler
