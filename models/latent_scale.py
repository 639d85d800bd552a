"""Between a VAE's latents and what a denoiser is trained on: a shift and a scale for each channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class LatentScale:
    """(z − shift) · scale has mean 0 and variance 1 in every channel. Both are float32 [C, 1, 1, 1]."""

    shift: Tensor
    scale: Tensor

    @classmethod
    def of(cls, shift: Sequence[float], scale: Sequence[float]) -> LatentScale:
        """One number a channel each."""
        return cls(*(torch.tensor(numbers).view(-1, 1, 1, 1) for numbers in (shift, scale)))

    @property
    def channels(self) -> int:
        return self.scale.shape[0]

    def normalised(self, latent: Tensor) -> Tensor:
        """[..., C, T, H, W] as the VAE gives it → in the denoiser's units."""
        return (latent - self.shift.to(latent.device)) * self.scale.to(latent.device)

    def restored(self, latent: Tensor) -> Tensor:
        """[..., C, T, H, W] in the denoiser's units → as the VAE takes it."""
        return latent / self.scale.to(latent.device) + self.shift.to(latent.device)
