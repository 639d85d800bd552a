"""Checks of what a denoiser is called with: each error names the argument, what it was and what it must be."""

from __future__ import annotations

from typing import NoReturn

import torch
from torch import Tensor

from models.dit.config import DenoiserConfig
from models.geometry import PATCH, PIXELS_PER_TOKEN

LAST_TIMESTEP = 999


def check_inputs(
    config: DenoiserConfig,
    latent: Tensor,
    timestep: Tensor,
    text: Tensor,
    text_mask: Tensor | None,
    latent_mask: Tensor | None,
) -> None:
    """Raises ValueError for the first argument that does not fit the configuration or the latent."""
    check_latent("latent", latent, config.in_channels)
    batch = latent.shape[0]
    check_timestep(timestep, batch)
    if text.ndim != 3 or text.shape[0] != batch or text.shape[2] != config.text_width or not text.shape[1]:
        refuse("text", text, f"[{batch}, L, {config.text_width}]")
    if text_mask is not None and text_mask.shape != text.shape[:2]:
        refuse("text_mask", text_mask, f"{list(text.shape[:2])}, as text is {list(text.shape)}")
    if latent_mask is not None and latent_mask.shape != (batch, *latent.shape[2:]):
        refuse("latent_mask", latent_mask, f"{[batch, *latent.shape[2:]]}")


def check_condition(latent: Tensor, condition_latent: Tensor, condition_mask: Tensor, mask_channels: int) -> None:
    """Raises ValueError for a condition that does not fit the latent."""
    if condition_latent.shape != latent.shape:
        refuse("condition_latent", condition_latent, f"{list(latent.shape)}, like latent")
    expected = [latent.shape[0], mask_channels, *latent.shape[2:]]
    if list(condition_mask.shape) != expected:
        refuse("condition_mask", condition_mask, str(expected))


def check_latent(name: str, latent: Tensor, channels: int) -> None:
    if latent.ndim != 5 or latent.shape[1] != channels or 0 in latent.shape:
        refuse(name, latent, f"[B, {channels}, T, H, W]")
    if latent.shape[3] % PATCH or latent.shape[4] % PATCH:
        height, width = latent.shape[3:]
        raise ValueError(
            f"{name} is {height}x{width}, but both sides must be even: videos have sides that are multiples of "
            f"{PIXELS_PER_TOKEN} pixels"
        )


def check_timestep(timestep: Tensor, batch: int) -> None:
    """Raises ValueError for another shape than [batch], or a step outside 0 to 999."""
    if timestep.shape != (batch,):
        refuse("timestep", timestep, f"[{batch}]")
    if torch.compiler.is_compiling() or timestep.is_meta:
        return
    low, high = (float(x) for x in timestep.aminmax())
    if not (low >= 0 and high <= LAST_TIMESTEP):
        raise ValueError(f"timestep holds {low:g} to {high:g}, but must lie within 0 to {LAST_TIMESTEP}")


def refuse(name: str, tensor: Tensor, expected: str) -> NoReturn:
    """Raises the ValueError of an argument of the wrong shape."""
    raise ValueError(f"{name} has shape {list(tensor.shape)}, but must be {expected}")
