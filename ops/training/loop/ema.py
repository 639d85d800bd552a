"""The exponential moving average of a model's weights: what is validated, kept and released."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from ops.training.launching.ranks import ALONE, Ranks
from ops.training.loop.slices import Slicing


def decay_at(step: int, decay: float) -> float:
    """min(decay, (1 + s) / (10 + s)) with s = step − 1, and 0 at the first step: diffusers' EMAModel.

    `step` counts from 1.
    """
    s = step - 1
    return min(decay, (1 + s) / (10 + s)) if s else 0.0


class Ema:
    """A float32 average of `model` that follows it, in slices over the ranks as the optimizer's state is."""

    def __init__(
        self, model: nn.Module, decay: float, ranks: Ranks = ALONE, device: torch.device | None = None
    ) -> None:
        """`model` is whole yet; the slices lie on `device`, or where the model does."""
        self.decay = decay
        self.slicing = Slicing(model, ranks)
        self.slices: list[Tensor] = [held.to(device, copy=True) for held in self.slicing.of(model)]

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Move towards the model's weights; buffers are copied."""
        theirs = [held.to(ours.device) for ours, held in zip(self.slices, self.slicing.of(model), strict=True)]
        torch._foreach_lerp_(self.slices, theirs, 1 - decay_at(step, self.decay))
        for ours, their_buffer in zip(self.slicing.empty.buffers(), model.buffers(), strict=True):
            ours.copy_(their_buffer)

    def joined(self) -> nn.Module:
        """The average whole on every rank, in evaluation mode; every rank calls this alike.

        Of a single rank it is the average itself, which goes on following.
        """
        return self.slicing.joined(self.slices)

    def entries(self) -> Iterator[tuple[str, Tensor]]:
        """The state dict of the average, a tensor at a time, as `Slicing.entries`."""
        return self.slicing.entries(self.slices)

    @torch.no_grad()
    def load(self, weights: nn.Module) -> None:
        """Take the weights of a model of the same shape, strictly."""
        whole = self.slicing.filled(weights)
        for ours, held in zip(self.slices, self.slicing.of(whole), strict=True):
            ours.copy_(held)
        for ours, their_buffer in zip(self.slicing.empty.buffers(), whole.buffers(), strict=True):
            ours.copy_(their_buffer)
