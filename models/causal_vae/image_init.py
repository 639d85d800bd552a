"""The start of a CausalVideoVAE from the image VAE of Stable Diffusion (Open-Sora Plan v1.1)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from models.causal_vae.vae import CausalVideoVAE
from models.released.keys_v1_1 import image_vae_names


@torch.no_grad()
def initialise_from_image_vae(vae: CausalVideoVAE, state_dict: Mapping[str, Tensor]) -> None:
    """Fill `vae` from the state dict of an image VAE of its widths, under the names of Stable Diffusion's own files.

    A 2D kernel becomes the last temporal tap of a 3D one, the tap that sees the present frame, and the others become
    zero: so the network does to each frame what the image VAE does. The layers that change the number of frames have
    no counterpart and stay as they are; `loss.*` is passed over.

    Raises:
        ValueError: entries that are missing, unexpected or of another shape, all in one message; nothing is changed.
    """
    own, names = vae.state_dict(), image_vae_names(vae)
    given = {key: value for key, value in state_dict.items() if not key.startswith("loss.")}
    problems = [f"missing: {key}" for key in sorted(set(names.values()) - given.keys())]
    problems += [f"unexpected: {key}" for key in sorted(given.keys() - set(names.values()))]
    for ours, theirs in names.items():
        wanted = _image_shape(own[ours])
        if theirs in given and list(given[theirs].shape) != wanted:
            problems.append(f"another shape: {theirs} is {list(given[theirs].shape)} instead of {wanted}")
    if problems:
        raise ValueError("state_dict does not fit an image VAE of these widths: " + "; ".join(problems))
    for ours, theirs in names.items():
        if own[ours].ndim == 5:
            own[ours].zero_()
            own[ours][:, :, -1] = given[theirs]
        else:
            own[ours].copy_(given[theirs])


def _image_shape(entry: Tensor) -> list[int]:
    """The shape of the 2D kernel that fits into a 3D one, or the shape itself."""
    return [*entry.shape[:2], *entry.shape[3:]] if entry.ndim == 5 else list(entry.shape)
