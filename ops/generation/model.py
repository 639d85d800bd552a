"""A text-to-video model, its parts loaded."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from ops.generation.parts import Parts, takes_given_frames, weights_of
from ops.runtime.project import Project
from ops.sampling.request import SamplingError

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from models.latent_scale import LatentScale
    from models.video_denoiser import VideoDenoiser
    from models.video_vae import VideoVAE
    from ops.data.text_encoder import PromptEncoder
    from ops.generation.given_pixels import GivenPixels


class VideoModel:
    """The loaded parts, on this process's device, in evaluation mode. Each part is loaded when first needed."""

    def __init__(self, project: Project, parts: Parts) -> None:
        from ops.runtime.device import accelerator

        self.project, self.parts = project, parts
        self.device = accelerator(project.accelerator)
        self.diffusion = parts.diffusion

    @cached_property
    def scale(self) -> LatentScale:
        """Of the latents that the denoiser was trained on."""
        from models.latent_scale import LatentScale

        return LatentScale.of(self.parts.shift, self.parts.scale)

    @cached_property
    def denoiser(self) -> VideoDenoiser:
        """With its adapters merged into it, so that it samples as fast as without."""
        from models.adapters import merge, read_adapter
        from models.released import denoiser_from_pretrained

        path = weights_of(self.project, self.parts.denoiser, self.parts)
        model = denoiser_from_pretrained(path).to(self.device).eval().requires_grad_(False)
        for each in self.parts.adapters:
            merge(model, read_adapter(weights_of(self.project, each.folder, self.parts)), each.scale)
        return model

    @cached_property
    def vae(self) -> VideoVAE:
        from models.released import vae_from_pretrained

        path = weights_of(self.project, self.parts.vae, self.parts)
        return vae_from_pretrained(path).to(self.device).eval().requires_grad_(False)

    def with_denoiser(self, parts: Parts) -> VideoModel:
        """Another checkpoint of the same training, which shares this model's loaded VAE and text encoder."""
        other = VideoModel(self.project, parts)
        if (parts.vae, parts.text_encoder_version) != (self.parts.vae, self.parts.text_encoder_version):
            raise ValueError(f"{parts.denoiser} was not trained with this model's VAE and text encoder")
        for shared in ("vae", "encode_text"):
            if shared in self.__dict__:
                other.__dict__[shared] = self.__dict__[shared]
        return other

    @cached_property
    def encode_text(self) -> PromptEncoder:
        """The prompt encoder, which must be the one that the denoiser was trained with."""
        from ops.data import text_encoder

        settings = self.parts.encoder or self.project.settings.text_encoder
        if text_encoder.version(self.project, settings) != self.parts.text_encoder_version:
            raise SamplingError(
                f"the text encoder {settings.weights} ({settings.max_tokens} tokens) is not the one that this model "
                f"was trained with ({self.parts.text_encoder}, {self.parts.max_tokens} tokens), or its weights are "
                "others now: bring those of the training back (`soraflow weights list`), or train again"
            )
        return text_encoder.PromptEncoder(self.project, settings)

    @cached_property
    def takes_given_frames(self) -> bool:
        return takes_given_frames(self.project, self.parts)

    def conditions(self, given: GivenPixels) -> dict[str, torch.Tensor]:
        """What a denoiser that was trained on given frames is told of them, by name and [1, C, t, h, w] each.

        As in its training, with the posterior's mode in the place of a draw, as validation has it.
        """
        import torch

        from models.control.condition_masks import conditions, hidden

        masks = torch.from_numpy(given.mask)[None]
        with torch.inference_mode():
            video = hidden(torch.from_numpy(given.pixels)[None], masks)
            latent = self.vae.encode(video.to(self.device)).mode()
            return conditions(latent, masks, self.scale, latent.dtype)

    def decode(self, latent: torch.Tensor) -> NDArray[np.uint8]:
        """A latent [1, C, t, h, w] in the denoiser's units to frames, uint8 [T, H, W, 3]."""
        import torch

        from models.pixels import to_pixels

        with torch.inference_mode():
            video = self.vae.decode(self.scale.restored(latent))
        return to_pixels(video[0]).cpu().numpy()
