"""The networks that a recipe asks for, freshly initialised."""

from __future__ import annotations

from models.causal_vae import CausalVAEConfig, CausalVideoVAE
from models.dit.config import DenoiserConfig
from models.dit.denoiser import SkiparseDenoiser
from models.geometry import latent_size
from models.latte import LatteConfig, LatteDenoiser
from models.video_denoiser import VideoDenoiser
from models.video_vae import VideoVAE
from models.wfvae.config import WFVAEConfig
from models.wfvae.discriminator import PatchDiscriminator2D, PatchDiscriminator3D
from models.wfvae.vae import WFVAE
from ops.config import CausalVaeModel, Denoiser, VaeLosses, VaeModel
from ops.data.buckets import Bucket

Discriminator = PatchDiscriminator2D | PatchDiscriminator3D


def vae(model: VaeModel) -> VideoVAE:
    shape = model.model_dump()
    if isinstance(model, CausalVaeModel):
        return CausalVideoVAE(CausalVAEConfig(**shape))
    return WFVAE(WFVAEConfig(**shape))


def discriminator(losses: VaeLosses) -> Discriminator:
    """The critic of a VAE."""
    network = PatchDiscriminator3D if losses.discriminator == "clips" else PatchDiscriminator2D
    return network(losses.discriminator_width, losses.discriminator_layers)


def denoiser(settings: Denoiser, latent_channels: int, text_width: int, largest: Bucket) -> VideoDenoiser:
    """`largest` is the bucket by whose size positions of a Latte are scaled."""
    model = settings.model
    if settings.architecture == "skiparse":
        return SkiparseDenoiser(
            DenoiserConfig(**model.model_dump(), in_channels=latent_channels, text_width=text_width)
        )
    return LatteDenoiser(
        LatteConfig(
            layers=model.layers,
            heads=model.heads,
            head_width=model.head_width,
            in_channels=latent_channels,
            text_width=text_width,
            **latte_scale(largest),
        )
    )


def latte_scale(largest: Bucket) -> dict[str, int]:
    """What a Latte is told of the size that it is trained at: that of the stage, not of the one that it starts from."""
    frames, height, _ = latent_size(largest.frames, largest.height, largest.width)
    return {"latent_frames": frames, "latent_side": height}
