"""The objective of a denoiser: the prediction of v (or ε) of noised draws from posteriors."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.latent_scale import LatentScale
from ops.config import Diffusion
from ops.training.data.captions import Captions
from ops.training.data.latent_batch import LatentBatch, drawn
from ops.training.methods.method import Draw, Setup
from ops.training.objectives import diffusion


class Denoising:
    def __init__(self, settings: Diffusion, scale: LatentScale, captions: Captions, setup: Setup) -> None:
        self._settings, self._scale, self._captions = settings, scale, captions
        self._device, self._dtype = setup.device, setup.dtype
        self._sequence = setup.sequence
        self._schedule = diffusion.scheduler(settings)
        self._weights = diffusion.loss_weights(settings, self._schedule)

    def loss(self, model: nn.Module, batch: LatentBatch, draw: Draw) -> tuple[Tensor, dict[str, Tensor]]:
        latent = drawn(batch, self._scale, draw)
        timesteps = self._timesteps(len(latent), draw)
        text, mask = self._captions.embedded(self._captions.drawn(batch.sample_ids, draw))
        losses = diffusion.element_losses(
            self._sequence.calling(model),
            self._schedule,
            latent.to(self._device),
            self._noise(latent, draw).to(self._device),
            timesteps.to(self._device),
            text.to(self._device),
            mask.to(self._device),
            self._dtype,
        )
        weighted = losses * self._weights[timesteps].to(losses.device)
        return weighted.mean(), {"unweighted_loss": losses.mean()}

    def _timesteps(self, count: int, draw: Draw) -> Tensor:
        """Strata of the global batch, an integer for each sample. Which place has which is dealt anew in each step, for
        a rule on norms of gradients would otherwise never see what ranks with the last ones do: their loss weighs
        nothing under min-SNR."""
        drawn = [
            diffusion.stratified_timestep(
                self._settings.train_timesteps,
                draw.stratum("timestep stratum", position),
                draw.batch_size,
                draw.uniform("timestep", position),
            )
            for position in draw.positions(count)
        ]
        return torch.tensor(drawn)

    def _noise(self, latent: Tensor, draw: Draw) -> Tensor:
        """Standard normal, plus a constant for each channel when there is a noise offset."""
        count, channels = latent.shape[:2]
        noise = draw.normal("noise", count, latent.shape[1:])
        if self._settings.noise_offset:
            offset = draw.normal("noise offset", count, (channels, 1, 1, 1))
            noise = noise + self._settings.noise_offset * offset
        return noise

    def notes(self) -> list[str]:
        return diffusion.on_lost_timesteps(self._settings, self._weights)
