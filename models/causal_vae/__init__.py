"""The causal video autoencoder of Open-Sora Plan v1.1."""

from models.causal_vae.config import CausalVAEConfig
from models.causal_vae.vae import CausalVideoVAE

__all__ = ["CausalVAEConfig", "CausalVideoVAE"]
