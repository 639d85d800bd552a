"""The exponential moving average of a model's weights: what is validated, kept and released."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


def decay_at(step: int, decay: float) -> float:
    """min(decay, (1 + s) / (10 + s)) with s = step − 1, and 0 at the first step: diffusers' EMAModel.

    `step` counts from 1.
    """
    s = step - 1
    return min(decay, (1 + s) / (10 + s)) if s else 0.0


class Ema:
    """A float32 copy of `model` that follows it. `module` is in evaluation mode and takes no gradients."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.module = copy.deepcopy(model).float().eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Move towards the model's weights; buffers are copied."""
        ours: list[Tensor] = list(self.module.parameters())
        theirs = list(model.parameters())
        torch._foreach_lerp_(
            ours,
            [p.detach().to(q.dtype) for p, q in zip(theirs, ours, strict=True)],
            1 - decay_at(step, self.decay),
        )
        for ours_buffer, their_buffer in zip(self.module.buffers(), model.buffers(), strict=True):
            ours_buffer.copy_(their_buffer)

    def load(self, weights: nn.Module) -> None:
        """Take the weights of a model of the same shape, strictly."""
        self.module.load_state_dict(weights.state_dict(), strict=True)
