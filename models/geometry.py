"""How large the latent of a video is. Numbers alone, without torch, so that settings can be checked by them.

Every VAE here divides time by 4, keeping the first frame to itself, and sides by 8: 1 + 4n frames become 1 + n latent
frames. A denoiser's token is 2×2 latent pixels.
"""

from __future__ import annotations

TEMPORAL = 4
SPATIAL = 8
PATCH = 2
PIXELS_PER_TOKEN = SPATIAL * PATCH
"""A side."""


def fits_latents(frames: int) -> bool:
    """Whether a video of so many frames has a latent: 1, 5, 9, …"""
    return frames >= 1 and frames % TEMPORAL == 1


def fitting_frames(frames: int) -> int:
    """The most frames that have a latent, of at least one that are there."""
    return frames - (frames - 1) % TEMPORAL


def nearest_fitting(frames: int) -> tuple[int, int]:
    """The numbers of frames on either side that have a latent, such as 9 and 13 for 10."""
    below = max(1, fitting_frames(frames))
    return below, below + TEMPORAL


def latent_frames(frames: int) -> int:
    """Of a video, 1 + 4n frames or, of a limit, the latent frames that lie within it."""
    return (frames - 1) // TEMPORAL + 1


def video_frames(latents: int) -> int:
    """What so many latent frames are decoded to."""
    return TEMPORAL * (latents - 1) + 1


def latent_size(frames: int, height: int, width: int) -> tuple[int, int, int]:
    """(t, h, w) of a video's latent."""
    return latent_frames(frames), height // SPATIAL, width // SPATIAL


def tokens(frames: int, height: int, width: int) -> int:
    """Of a video, as a denoiser sees its latent."""
    t, h, w = latent_size(frames, height, width)
    return t * (h // PATCH) * (w // PATCH)


def video_size(frames: int, height: int, width: int) -> tuple[int, int, int]:
    """(T, H, W) of what a latent of this size is decoded to."""
    return video_frames(frames), height * SPATIAL, width * SPATIAL
