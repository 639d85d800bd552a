"""The networks that a recipe asks for, freshly initialised."""

from __future__ import annotations

from models.causal_vae import CausalVAEConfig, CausalVideoVAE
from models.dit.config import DenoiserConfig
from models.dit.denoiser import SkiparseDenoiser
from models.wfvae.config import WFVAEConfig
from models.wfvae.discriminator import PatchDiscriminator2D, PatchDiscriminator3D
from models.wfvae.vae import WFVAE
from ops.config import CausalVaeModel, DenoiserModel, VaeLosses, VaeModel

VideoVAE = WFVAE | CausalVideoVAE
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


def denoiser(model: DenoiserModel, latent_channels: int, text_width: int) -> SkiparseDenoiser:
    return SkiparseDenoiser(DenoiserConfig(**model.model_dump(), in_channels=latent_channels, text_width=text_width))
