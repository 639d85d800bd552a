"""The denoisers of videos, any of which may stand behind a VAE."""

from __future__ import annotations

from models.dit.denoiser import SkiparseDenoiser
from models.latte.denoiser import LatteDenoiser

VideoDenoiser = SkiparseDenoiser | LatteDenoiser
