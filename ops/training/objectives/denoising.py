"""The objective of a denoiser: the prediction of v (or ε) of noised draws from posteriors, and of a variance."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from models.latent_scale import LatentScale
from ops.config import Diffusion
from ops.training.data.captions import Captions
from ops.training.data.joined_latents import JoinedBatch
from ops.training.data.latent_batch import LatentBatch, drawn
from ops.training.methods.method import Draw, Setup
from ops.training.objectives import diffusion


class _Seen(NamedTuple):
    """What a model is shown of a batch: latents [B, C, T + images, h, w] in its units, and the captions of each sample
    and of the images behind it, in their order."""

    latent: Tensor
    captions: list[str]
    images: int = 0

    def with_images(self, latent: Tensor, captions: list[str], each: int) -> _Seen:
        """`latent` [B · each, C, 1, h, w]: the images of the first sample, then those of the second one."""
        frames = latent[:, :, 0].unflatten(0, (-1, each)).transpose(1, 2)
        of_each = zip(self.captions, *([iter(captions)] * each), strict=True)
        return _Seen(torch.cat([self.latent, frames], dim=2), [caption for group in of_each for caption in group], each)


class Conditions(Protocol):
    """What a denoiser is told of samples besides their captions, as arguments by name."""

    def drawn(self, batch: LatentBatch, draw: Draw) -> dict[str, Tensor]: ...


class Denoising:
    def __init__(
        self,
        settings: Diffusion,
        scale: LatentScale,
        captions: Captions,
        setup: Setup,
        conditions: Conditions | None = None,
    ) -> None:
        """`conditions` are what the model is told of a batch besides."""
        self._conditions = conditions
        self._settings, self._scale, self._captions = settings, scale, captions
        self._device, self._dtype = setup.device, setup.dtype
        self._sequence = setup.sequence
        self._schedule = diffusion.scheduler(settings)
        self._weights = diffusion.loss_weights(settings, self._schedule)

    def loss(self, model: nn.Module, batch: LatentBatch, draw: Draw) -> tuple[Tensor, dict[str, Tensor]]:
        latent, captions, images = self._seen(batch, draw)
        text, mask = self._captions.embedded(captions)
        calling = self._sequence.calling(model)
        if images:
            text, mask = (each.unflatten(0, (len(latent), 1 + images)) for each in (text, mask))
            calling = partial(calling, images=images)
        if self._conditions:
            calling = partial(calling, **self._conditions.drawn(batch, draw))
        timesteps = self._timesteps(len(latent), draw)
        losses = diffusion.element_losses(
            calling,
            self._schedule,
            latent.to(self._device),
            self._noise(latent, draw).to(self._device),
            timesteps.to(self._device),
            text.to(self._device),
            mask.to(self._device),
            self._dtype,
        )
        weighted = losses._replace(error=losses.error * self._weights[timesteps].to(losses.error.device))
        figures = {"unweighted_loss": losses.error.mean()}
        if losses.bound is not None:
            figures["variance_bound"] = losses.bound.mean()
        return weighted.sum.mean(), figures

    def _seen(self, batch: LatentBatch, draw: Draw) -> _Seen:
        own = _Seen(drawn(batch, self._scale, draw), self._captions.drawn(batch.sample_ids, draw))
        if not isinstance(batch, JoinedBatch):
            return own
        behind = draw.behind(batch.images_each)
        images = drawn(batch.images, self._scale, behind)
        told = self._captions.drawn(batch.images.sample_ids, behind)
        return own.with_images(images, told, batch.images_each)

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
