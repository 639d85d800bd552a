"""A clip through a VAE, at once or block by block along time."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from models.geometry import TEMPORAL, latent_frames
from ops.metrics.base import Frames

if TYPE_CHECKING:
    from torch import Tensor

    from models.video_vae import VideoVAE


class Passed(NamedTuple):
    back: Frames
    latent: Tensor
    """The mode of the posterior, [1, C, t, h, w]."""


def through(model: VideoVAE, frames: Frames, chunk_frames: int | None) -> Passed:
    """Frames [T, H, W, 3] in 8 bits through the mode of the posterior, so many frames at a time, or as the VAE does
    it by itself.

    Raises:
        ValueError: the VAE cannot take the frames, or cannot be run in blocks.
    """
    import torch

    from models.pixels import to_pixels, to_video

    video = to_video(torch.from_numpy(frames).to(next(model.parameters()).device))[None]
    with torch.inference_mode():
        latent = model.encode(video, chunk_frames=chunk_frames).mode()
        back = model.decode(latent, chunk_latents=chunk_frames and chunk_frames // TEMPORAL)
    return Passed(to_pixels(back[0]).cpu().numpy(), latent)


def direct_chunk(model: VideoVAE, frames: int) -> int | None:
    """The chunk that holds all of 1 + 4n frames; None for a VAE that takes nothing but all, and refuses chunks."""
    refuses = getattr(model.config, "norm", None) == "groupnorm"
    return None if refuses else TEMPORAL * latent_frames(frames)
