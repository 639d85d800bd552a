"""DDIM that goes from each of its timesteps to the next one."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import DDIMScheduler
from diffusers.schedulers.scheduling_ddim import DDIMSchedulerOutput
from torch import Tensor


class Ddim(DDIMScheduler):
    """Without noise of its own: η = 0 (arXiv 2010.02502, eq. 12).

    The step of diffusers is ⌊1000 / n⌋ long whatever the timesteps are. Where n does not divide 1000, they lie further
    apart, and the model would be told of less noise than there is.
    """

    timesteps: Tensor
    alphas_cumprod: Tensor
    final_alpha_cumprod: Tensor
    config: Any

    def step(self, model_output: Tensor, timestep: int | Tensor, sample: Tensor, **_: Any) -> DDIMSchedulerOutput:
        """`model_output` is ε or v at `timestep`, one of `timesteps`; all of them are of the shape of `sample`."""
        later = self.timesteps[self.timesteps < int(timestep)]
        signal = self.alphas_cumprod[int(timestep)]
        signal_after = self.alphas_cumprod[int(later[0])] if len(later) else self.final_alpha_cumprod
        noise = 1 - signal
        if self.config.prediction_type == "epsilon":
            clean, epsilon = (sample - noise**0.5 * model_output) / signal**0.5, model_output
        else:
            clean = signal**0.5 * sample - noise**0.5 * model_output
            epsilon = signal**0.5 * model_output + noise**0.5 * sample
        after = signal_after**0.5 * clean + (1 - signal_after) ** 0.5 * epsilon
        return DDIMSchedulerOutput(prev_sample=after, pred_original_sample=torch.as_tensor(clean))
