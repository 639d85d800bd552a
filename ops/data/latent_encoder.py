"""A frozen VAE that encodes samples: what `latents` are made by, before a training or in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ops.config import Precision
from ops.runtime.artifacts import Artifact
from ops.runtime.project import Project
from ops.weights.results import Weights

if TYPE_CHECKING:
    import torch

    from models.video_vae import VideoVAE


class LatentEncoder:
    """The best checkpoint of a VAE artifact, on this process's device; weights are loaded when it is made."""

    def __init__(self, project: Project, vae: Artifact[Weights], precision: Precision) -> None:
        import torch

        from ops.runtime.device import accelerator

        self._dtype: torch.dtype = getattr(torch, precision)
        self._device = accelerator(project.accelerator)
        self._model = load_vae(project, vae).to(self._dtype)

    def __call__(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(mean, log-variance) of one sample's pixels, uint8 [T, H, W, 3] on any device: float32 [C, t, h, w], on the
        encoder's. One by one, so that a sample's posterior does not depend on what is beside it."""
        from models.pixels import to_video

        return self.of_video(to_video(pixels.to(self._device)))

    def of_video(self, video: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The same of a video [3, T, H, W] in [-1, 1]."""
        import torch

        with torch.no_grad():  # not inference mode: a training saves what it computes of these for its backward pass
            posterior = self._model.encode(video.to(self._device, self._dtype)[None])
            return posterior.mean[0].float().contiguous(), posterior.log_variance[0].float().contiguous()


def load_vae(project: Project, vae: Artifact[Weights]) -> VideoVAE:
    """The best checkpoint of a VAE artifact, in evaluation mode, on this process's device."""
    from models.released import vae_from_pretrained
    from ops.runtime.device import accelerator

    model = vae_from_pretrained(vae.folder / vae.results.released)
    return model.to(accelerator(project.accelerator)).eval().requires_grad_(False)
