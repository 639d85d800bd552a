"""Pixels as files hold them, 0 to 255 with colours last, and as networks take them, -1 to 1 with colours first."""

from __future__ import annotations

from torch import Tensor


def signed(values: Tensor) -> Tensor:
    """0 to 255, of any type and shape → float32 in [-1, 1]."""
    return values.float() / 127.5 - 1


def to_video(pixels: Tensor) -> Tensor:
    """uint8 [..., T, H, W, 3] → float32 [..., 3, T, H, W] in [-1, 1], on the same device."""
    return signed(pixels.movedim(-1, -4))


def to_pixels(video: Tensor) -> Tensor:
    """[..., 3, T, H, W], near [-1, 1] → uint8 [..., T, H, W, 3]: clamped, and rounded to the nearest."""
    return (video.float() / 2 + 0.5).clamp(0, 1).mul(255).round().byte().movedim(-4, -1)
