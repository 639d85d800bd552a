"""The objective of a video VAE: what it gives back of a view of a clip, and how near that is."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from models.pixels import to_pixels, to_video
from models.video_vae import VideoVAE
from models.wfvae.posterior import Posterior
from models.wfvae.vae import WFVAE
from ops.config import VaeLosses, VaeViews, WfVaeLosses
from ops.training.data.clips import Clips
from ops.training.data.views import views
from ops.training.methods.method import Draw
from ops.training.objectives import vae_losses
from ops.training.objectives.critic import Critic


class Reconstruction:
    """L1 (and squared error) + LPIPS + KL, of a WF-VAE also the wavelet loss, and from `discriminator_start` the
    critic's opinion."""

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
        vae: VideoVAE = getattr(model, "module", model)  # type: ignore[arg-type]
        judged = draw.step >= self._losses.discriminator_start and not draw.alone
        return self.of_video(
            vae, video, lambda shape: draw.normal("posterior", len(video), shape), self._critic if judged else None
        )

    def of_video(
        self, vae: VideoVAE, video: Tensor, normal: Callable[[torch.Size], Tensor], critic: Critic | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of a video [B, 3, T, H, W] in [-1, 1], as a mean over pixels and colours, and figures to log.

        `normal` gives the noise of the posterior's draw, of a sample's shape [C, t, h, w] for each.
        """
        output, kl, wavelet = self._passed(vae, video, normal)
        l1 = vae_losses.reconstruction(video, output)
        weights = self._losses
        pixels = video[0, :, 0].numel()  # of a frame, with colours
        figures = {"l1": l1 / pixels, "kl": kl}
        fidelity, total = l1, weights.kl_weight * kl
        if wavelet is not None and isinstance(weights, WfVaeLosses):
            total, figures = total + weights.wavelet_weight * wavelet, figures | {"wavelet": wavelet}
        if weights.squared_weight:
            squared = vae_losses.squared(video, output)
            fidelity, figures = fidelity + weights.squared_weight * squared, figures | {"squared": squared / pixels}
        if self._lpips is not None:
            lpips, perceptual = vae_losses.perceptual(self._lpips, video, output)
            fidelity, figures = fidelity + weights.lpips_weight * perceptual, figures | {"lpips": lpips}
        total = fidelity + total
        if critic:
            adversarial, weight = critic.generator_loss(video, output, fidelity, vae.decoder.conv_out.weight)
            total = total + adversarial
            figures |= {"adversarial": adversarial / pixels, "adversarial_weight": weight}
        # Adam does not see the scale of a loss, but clipping does: a mean over pixels is of order 1 at any size.
        return total / pixels, figures

    def _passed(
        self, vae: VideoVAE, video: Tensor, normal: Callable[[torch.Size], Tensor]
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """What a VAE gives back of a draw, in float32, the posterior's divergence, and a WF-VAE's wavelet loss."""
        given = video.to(self._dtype)
        if not isinstance(vae, WFVAE):
            posterior = vae.encode(given)
            return vae.decode(_drawn(posterior, normal)).float(), posterior.kl().float().mean(), None
        posterior, encoded = vae.encode(given, return_coefficients=True)
        output, decoded = vae.decode(_drawn(posterior, normal), return_coefficients=True)
        wavelet = vae_losses.wavelet([w.float() for w in encoded], [w.float() for w in decoded])
        return output.float(), posterior.kl().float().mean(), wavelet

    def notes(self) -> list[str]:
        start = self._losses.discriminator_start
        return [f"the adversarial loss begins at step {start}" if self._critic else "no adversarial loss"]


def _drawn(posterior: Posterior, normal: Callable[[torch.Size], Tensor]) -> Tensor:
    noise = normal(posterior.mean.shape[1:]).to(posterior.mean)
    return posterior.mean + (0.5 * posterior.log_variance).exp() * noise


@torch.no_grad()
def reconstructed(vae: VideoVAE, pixels: Tensor) -> Tensor:
    """uint8, like `pixels`, from the posterior's mode."""
    device = next(vae.parameters()).device
    return to_pixels(vae.decode(vae.encode(to_video(pixels.to(device))).mode())).cpu()
