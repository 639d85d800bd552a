"""Checks of what the Latte denoiser is called with: each error names the argument, what it was and what it must be."""

from __future__ import annotations

from torch import Tensor

from models.dit.inputs import check_latent, check_timestep, refuse
from models.latte.config import LatteConfig


def check_inputs(
    config: LatteConfig,
    latent: Tensor,
    timestep: Tensor,
    text: Tensor,
    text_mask: Tensor | None,
    latent_mask: Tensor | None,
    images: int,
) -> None:
    """Raises ValueError for the first argument that does not fit the configuration or the latent."""
    check_latent("latent", latent, config.in_channels)
    batch, _, frames = latent.shape[:3]
    if not 0 <= images < frames:
        raise ValueError(f"images is {images}, but must be 0 to {frames - 1}: latent has {frames} frames and images")
    check_timestep(timestep, batch)
    captions = [batch, 1 + images] if images else [batch]
    if list(text.shape) != [*captions, text.shape[-2] if text.ndim > 1 else 0, config.text_width] or 0 in text.shape:
        wanted = ", ".join(map(str, [*captions, "L", config.text_width]))
        refuse("text", text, f"[{wanted}]" + (": captions of the video and each image" if images else ""))
    if text_mask is not None and text_mask.shape != text.shape[:-1]:
        refuse("text_mask", text_mask, f"{list(text.shape[:-1])}, as text is {list(text.shape)}")
    if latent_mask is not None and latent_mask.shape != (batch, *latent.shape[2:]):
        refuse("latent_mask", latent_mask, f"{[batch, *latent.shape[2:]]}")
