"""The VAEs of videos, any of which may stand before a denoiser."""

from __future__ import annotations

from models.causal_vae.vae import CausalVideoVAE
from models.wfvae.vae import WFVAE

VideoVAE = WFVAE | CausalVideoVAE
