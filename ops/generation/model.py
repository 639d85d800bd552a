"""A text-to-video model, its parts loaded."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from ops.generation.parts import Parts
from ops.runtime.artifacts import MissingArtifact
from ops.runtime.project import Project
from ops.sampling.request import SamplingError

if TYPE_CHECKING:
    import torch

    from models.latent_scale import LatentScale


class VideoModel:
    """The loaded parts, on this process's device, in evaluation mode. Each part is loaded when first needed."""

    def __init__(self, project: Project, parts: Parts) -> None:
        from ops.runtime.device import accelerator

        self.project, self.parts = project, parts
        self.device = accelerator(project.settings.launch.accelerator)
        self.diffusion = parts.diffusion

    @cached_property
    def scale(self) -> LatentScale:
        """Of the latents that the denoiser was trained on."""
        from models.latent_scale import LatentScale

        return LatentScale.of(self.parts.shift, self.parts.scale)

    @cached_property
    def denoiser(self) -> Any:
        return self._load(self.parts.denoiser)

    @cached_property
    def vae(self) -> Any:
        return self._load(self.parts.vae)

    def with_denoiser(self, parts: Parts) -> VideoModel:
        """Another checkpoint of the same training, which shares this model's loaded VAE and text encoder."""
        other = VideoModel(self.project, parts)
        if (parts.vae, parts.text_encoder_version) != (self.parts.vae, self.parts.text_encoder_version):
            raise ValueError(f"{parts.denoiser} was not trained with this model's VAE and text encoder")
        for shared in ("vae", "encode_text"):
            if shared in self.__dict__:
                other.__dict__[shared] = self.__dict__[shared]
        return other

    def _load(self, folder: str) -> object:
        from models.released import from_pretrained

        path = self.project.root / folder
        if not path.is_dir():
            raise MissingArtifact(f"{path} is gone; train {self.parts.denoiser_asset} again, or restore the folder")
        return from_pretrained(path).to(self.device).eval().requires_grad_(False)

    @cached_property
    def encode_text(self) -> Any:
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

    def decode(self, latent: torch.Tensor) -> Any:
        """A latent [1, C, t, h, w] in the denoiser's units to frames, uint8 [T, H, W, 3]."""
        import torch

        from models.pixels import to_pixels

        with torch.inference_mode():
            video = self.vae.decode(self.scale.restored(latent))
        return to_pixels(video[0]).cpu().numpy()
