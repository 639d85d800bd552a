"""The objective of a video VAE: what it gives back of a view of a clip, and how near that is."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.pixels import to_pixels, to_video
from models.wfvae.vae import WFVAE
from ops.config import VaeLosses, VaeViews
from ops.training.data.clips import Clips
from ops.training.data.views import views
from ops.training.methods.method import Draw
from ops.training.objectives import vae_losses
from ops.training.objectives.critic import Critic


class Reconstruction:
    """L1 (and squared error) + LPIPS + KL + wavelet loss, and from `discriminator_start` the critic's opinion."""

    def __init__(
        self,
        losses: VaeLosses,
        seen: VaeViews,
        lpips: nn.Module | None,
        critic: Critic | None,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        """`lpips` is wanted where its loss has a weight; without a `critic` there is no adversarial loss. The VAE lies
        on `device` and has its weights in `dtype`."""
        self._losses, self._views, self._lpips, self._critic = losses, seen, lpips, critic
        self._device, self._dtype = device, dtype

    def loss(self, model: nn.Module, batch: Clips, draw: Draw) -> tuple[Tensor, dict[str, Tensor]]:
        video = to_video(views(batch.pixels, self._views, draw).to(self._device))
        vae: WFVAE = getattr(model, "module", model)  # type: ignore[arg-type]
        posterior, encoded = vae.encode(video.to(self._dtype), return_coefficients=True)
        noise = draw.normal("posterior", len(video), posterior.mean.shape[1:]).to(posterior.mean)
        latent = posterior.mean + (0.5 * posterior.log_variance).exp() * noise
        output, decoded = vae.decode(latent, return_coefficients=True)
        output = output.float()
        l1 = vae_losses.reconstruction(video, output)
        kl = posterior.kl().float().mean()
        wavelet = vae_losses.wavelet([w.float() for w in encoded], [w.float() for w in decoded])
        weights = self._losses
        pixels = video[0, :, 0].numel()  # of a frame, with colours
        figures = {"l1": l1 / pixels, "kl": kl, "wavelet": wavelet}
        fidelity = l1
        if weights.squared_weight:
            squared = vae_losses.squared(video, output)
            fidelity, figures = fidelity + weights.squared_weight * squared, figures | {"squared": squared / pixels}
        if self._lpips is not None:
            lpips, perceptual = vae_losses.perceptual(self._lpips, video, output)
            fidelity, figures = fidelity + weights.lpips_weight * perceptual, figures | {"lpips": lpips}
        total = fidelity + weights.kl_weight * kl + weights.wavelet_weight * wavelet
        if self._critic and draw.step >= weights.discriminator_start and not draw.alone:
            last_layer = vae.decoder.conv_out.weight
            adversarial, weight = self._critic.generator_loss(video, output, fidelity, last_layer)
            total = total + adversarial
            figures |= {"adversarial": adversarial / pixels, "adversarial_weight": weight}
        # Adam does not see the scale of a loss, but clipping does: a mean over pixels is of order 1 at any size.
        return total / pixels, figures

    def notes(self) -> list[str]:
        start = self._losses.discriminator_start
        return [f"the adversarial loss begins at step {start}" if self._critic else "no adversarial loss"]


@torch.no_grad()
def reconstructed(vae: WFVAE, pixels: Tensor) -> Tensor:
    """uint8, like `pixels`, from the posterior's mode."""
    device = next(vae.parameters()).device
    return to_pixels(vae.decode(vae.encode(to_video(pixels.to(device))).mode())).cpu()
