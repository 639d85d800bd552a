"""The Skiparse denoiser."""

from models.dit.config import DenoiserConfig
from models.dit.denoiser import SkiparseDenoiser

__all__ = ["DenoiserConfig", "SkiparseDenoiser"]
