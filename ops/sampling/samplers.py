"""The samplers, from diffusers, set up as the model was trained (Open-Sora Plan v1.3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ops.sampling.noise_schedule import LEAST_SIGNAL, arguments, timesteps

if TYPE_CHECKING:
    import torch

    from ops.config import Diffusion


def sampler(name: str, diffusion: Diffusion, steps: int) -> Any:
    """A diffusers scheduler with its timesteps set.

    Raises:
        ValueError: there is none of the name.
    """
    if name not in SAMPLERS:
        raise ValueError(f"unknown sampler '{name}'; there are {', '.join(SAMPLERS)}")
    scheduler = SAMPLERS[name](diffusion)
    if diffusion.zero_terminal_snr and diffusion.prediction == "epsilon":
        scheduler.alphas_cumprod[-1] = LEAST_SIGNAL  # ε is divided by its root
    scheduler.set_timesteps(steps)
    _set(scheduler, timesteps(diffusion, steps, to_zero=name not in EXTRAPOLATING))
    return scheduler


def noised(scheduler: Any, step: int, clean: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Clean latents with the noise that a sampler's own have at the beginning of a step, counted from 0."""
    if scheduler.init_noise_sigma > 1:  # the ancestral sampler leaves the signal as it is, and adds to it
        sigma: torch.Tensor = scheduler.sigmas[step].to(clean)
        return clean + sigma * noise
    signal: torch.Tensor = scheduler.alphas_cumprod[int(scheduler.timesteps[step])].to(clean)
    return signal**0.5 * clean + (1 - signal) ** 0.5 * noise


def _set(scheduler: Any, times: list[int]) -> None:
    """In the place of what the scheduler has made of the number of steps, which is right for many numbers only."""
    import torch

    scheduler.timesteps = torch.tensor(times, dtype=scheduler.timesteps.dtype)
    scheduler.num_inference_steps = len(times)
    if hasattr(scheduler, "sigmas"):  # noise over signal, and none at the end
        signal = scheduler.alphas_cumprod[torch.tensor(times)]
        sigmas = torch.cat([((1 - signal) / signal) ** 0.5, torch.zeros(1)])
        if sigmas[0] <= sigmas[1]:  # ᾱ falls below LEAST_SIGNAL before it is 0, and many steps come by there
            sigmas[0] = 2 * sigmas[1]
        scheduler.sigmas = sigmas


def _ddim(diffusion: Diffusion) -> Any:
    from ops.sampling.ddim import Ddim

    made: Any = Ddim  # typed in part
    return made(**arguments(diffusion), clip_sample=False, set_alpha_to_one=True)


def _euler_ancestral(diffusion: Diffusion) -> Any:
    from diffusers import EulerAncestralDiscreteScheduler

    return EulerAncestralDiscreteScheduler(**arguments(diffusion))


def _dpm_solver(diffusion: Diffusion) -> Any:
    """Of second order, in several steps (arXiv 2211.01095, algorithm 2)."""
    from diffusers import DPMSolverMultistepScheduler

    return DPMSolverMultistepScheduler(**arguments(diffusion), algorithm_type="dpmsolver++", solver_order=2)


def _unipc(diffusion: Diffusion) -> Any:
    """Of second order, with B(h) = eʰ − 1 (arXiv 2302.04867)."""
    from diffusers import UniPCMultistepScheduler

    return UniPCMultistepScheduler(**arguments(diffusion), solver_order=2)


SAMPLERS: dict[str, Callable[[Diffusion], Any]] = {
    "ddim": _ddim,
    "euler_ancestral": _euler_ancestral,
    "dpm_solver++": _dpm_solver,
    "unipc": _unipc,
}
"""By the names of `evaluation.sampler`."""
STOCHASTIC = frozenset({"euler_ancestral"})
"""Those that draw noise in their steps."""
EXTRAPOLATING = frozenset({"dpm_solver++", "unipc"})
"""Those that go on from what they saw in the step before: from the middle of a video's noise to next to none it is too
far for that."""
