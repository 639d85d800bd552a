"""The 2+1D denoiser of Open-Sora Plan v1.1."""

from models.latte.config import LatteConfig
from models.latte.denoiser import LatteDenoiser

__all__ = ["LatteConfig", "LatteDenoiser"]
