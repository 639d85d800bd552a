"""What a 4×8×8 video VAE may be called with: each error names the argument, what it was and what it must be."""

from __future__ import annotations

from torch import Tensor

from models.geometry import SPATIAL, TEMPORAL, fits_latents


def check_video(video: Tensor) -> None:
    """Raises ValueError for a video other than [B, 3, 4n+1, H, W] with sides that 8 divides."""
    if video.ndim != 5 or video.shape[1] != 3 or video.shape[0] == 0:
        raise ValueError(f"video has shape {list(video.shape)}, but must be [B, 3, T, H, W]")
    frames, *sides = video.shape[2:]
    if not fits_latents(frames):
        raise ValueError(f"video has {frames} frames, but must have 1 + {TEMPORAL}n: 1, 5, 9, …")
    if 0 in sides or any(side % SPATIAL for side in sides):
        raise ValueError(f"video is {sides[0]}x{sides[1]}, but both sides must be multiples of {SPATIAL}")


def check_latent(latent: Tensor, channels: int) -> None:
    """Raises ValueError for a latent other than [B, channels, T, H, W], or one that is empty."""
    if latent.ndim != 5 or latent.shape[1] != channels or 0 in latent.shape:
        raise ValueError(f"latent has shape {list(latent.shape)}, but must be [B, {channels}, T, H, W]")
