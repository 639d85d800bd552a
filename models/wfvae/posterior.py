"""The distribution of latents that a video is encoded to."""

from __future__ import annotations

import torch
from torch import Tensor

LOG_VARIANCE_RANGE = (-30.0, 20.0)


class Posterior:
    """A diagonal normal distribution over latents [B, C, T, H, W]; the log-variance is clamped to [-30, 20]."""

    def __init__(self, parameters: Tensor) -> None:
        """`parameters` [B, 2·C, T, H, W]: the mean, then the log-variance."""
        self.mean, log_variance = parameters.chunk(2, dim=1)
        self.log_variance = log_variance.clamp(*LOG_VARIANCE_RANGE)

    def mode(self) -> Tensor:
        return self.mean

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """One draw; the noise is drawn on the generator's device, so a CPU generator gives the same everywhere."""
        device = self.mean.device if generator is None else generator.device
        noise = torch.randn(self.mean.shape, generator=generator, device=device, dtype=self.mean.dtype)
        return self.mean + torch.exp(0.5 * self.log_variance) * noise.to(self.mean.device)

    def kl(self) -> Tensor:
        """[B]: the divergence from the standard normal of each sample, in nats, summed over its elements."""
        elements = self.mean.square() + self.log_variance.exp() - 1 - self.log_variance
        return 0.5 * elements.flatten(1).sum(dim=1)
