"""The wavelet-flow video autoencoder and its discriminator."""

from models.wfvae.config import WFVAEConfig
from models.wfvae.discriminator import PatchDiscriminator3D
from models.wfvae.encoder import Coefficients
from models.wfvae.posterior import Posterior
from models.wfvae.vae import WFVAE

__all__ = ["WFVAE", "Coefficients", "PatchDiscriminator3D", "Posterior", "WFVAEConfig"]
