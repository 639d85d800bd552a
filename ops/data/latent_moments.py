"""The shift and scale that bring posterior draws to mean 0 and variance 1, channel by channel."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ops.runtime.files import Document

if TYPE_CHECKING:
    import torch


class LatentError(ValueError):
    """Latents that cannot be made or found; the message names the sample."""


class Moments:
    """Per-channel mean and variance of posterior draws: Var[z] = Var[mean] + E[variance], in float64."""

    def __init__(self) -> None:
        import torch

        self.samples, self._count = 0, 0
        self._sum, self._squares = torch.zeros((), dtype=torch.float64), torch.zeros((), dtype=torch.float64)

    def add(self, mean: torch.Tensor, log_variance: torch.Tensor) -> None:
        """Count one posterior, [C, t, h, w]."""
        values = mean.double().flatten(1)
        self._sum = self._sum + values.sum(1)
        self._squares = self._squares + (values.square() + log_variance.double().flatten(1).exp()).sum(1)
        self._count += values.shape[1]
        self.samples += 1

    @classmethod
    def sum(cls, parts: Iterable[Moments]) -> Moments:
        """Of all that any of them has counted."""
        whole = cls()
        for part in parts:
            whole.samples += part.samples
            whole._count += part._count
            whole._sum = whole._sum + part._sum
            whole._squares = whole._squares + part._squares
        return whole

    def as_json(self) -> Document:
        """Exact: a float64 survives."""
        sums = {"sum": self._sum.tolist(), "squares": self._squares.tolist()}
        return {"samples": self.samples, "count": self._count, **sums}

    @classmethod
    def of_json(cls, told: Document) -> Moments:
        """Of what `as_json` gives."""
        import torch

        found = cls()
        found.samples, found._count = told["samples"], told["count"]
        found._sum, found._squares = (torch.tensor(told[key], dtype=torch.float64) for key in ("sum", "squares"))
        return found

    def shift_and_scale(self) -> tuple[list[float], list[float]]:
        """The mean and 1/standard deviation of each channel."""
        if not self.samples:
            raise LatentError("no sample is in the training split, so the latents' shift and scale are unknown")
        mean = self._sum / self._count
        variance = self._squares / self._count - mean.square()
        dead = [channel for channel, value in enumerate(variance.tolist()) if not value > 1e-12]
        if dead:
            raise LatentError(f"latent channels {dead} are constant over the training split: the VAE did not learn")
        return mean.tolist(), variance.rsqrt().tolist()
