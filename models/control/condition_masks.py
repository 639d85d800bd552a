"""Which frames the image-condition controller is given, and how it is told (arXiv 2412.00131).

A mask is 1 where the model generates and 0 where a frame is given. It is drawn over a clip's pixels; the controller
takes the VAE latent of the masked video and the mask itself, compressed to the latent's grid.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import torch
from torch import Tensor
from torch.nn import functional as F

from models.geometry import SPATIAL, TEMPORAL
from models.latent_scale import LatentScale
from models.pixels import signed


class MaskType(Enum):
    """The published names."""

    T2IV = "t2iv"
    I2V = "i2v"
    TRANSITION = "transition"
    CONTINUATION = "continuation"
    CLEAR = "clear"
    RANDOM_TEMPORAL = "random_temporal"


@dataclass(frozen=True)
class MaskMixture:
    """How often each type is drawn, and how many frames `continuation` and `random_temporal` give.

    `weights` need no particular sum; where all are zero, every type that is listed is as likely. `min_given` and
    `max_given` are shares of the frames, 0 to 1.

    Raises ValueError for no or negative weights and for shares out of range or order.
    """

    weights: Mapping[MaskType, float]
    min_given: float = 0.0
    max_given: float = 1.0

    def __post_init__(self) -> None:
        if not self.weights:
            raise ValueError("weights is empty, but must list at least one mask type")
        for kind, weight in self.weights.items():
            if not 0 <= weight < math.inf:
                raise ValueError(f"weights[{kind.value!r}] is {weight}, but must be finite and at least 0")
        _check_shares(self.min_given, self.max_given)

    def probabilities(self) -> dict[MaskType, float]:
        total = sum(self.weights.values())
        if not total:
            return dict.fromkeys(self.weights, 1 / len(self.weights))
        return {kind: weight / total for kind, weight in self.weights.items()}

    def draw(self, frames: int, generator: torch.Generator) -> tuple[MaskType, Tensor]:
        """A type, and a mask [T] of that type for a clip of `frames` frames, from a generator on the CPU."""
        chances = self.probabilities()
        chosen = int(torch.multinomial(torch.tensor(list(chances.values())), 1, generator=generator))
        kind = list(chances)[chosen]
        return kind, frame_mask(kind, frames, generator, self.min_given, self.max_given)


def frame_mask(
    kind: MaskType, frames: int, generator: torch.Generator, min_given: float = 0.0, max_given: float = 1.0
) -> Tensor:
    """One mask, float32 [T]: 1 = generate, 0 = given.

    `t2iv` gives no frame, `clear` all, `i2v` the first, `transition` the first and the last; `continuation` gives the
    first n and `random_temporal` any n, n uniform from ⌊T·min_given⌋ to ⌈T·max_given⌉, both included. The two draw from
    `generator`, on the CPU; the others leave it as it is.

    Raises ValueError for `frames` below 1 and for shares out of range or order.
    """
    if frames < 1:
        raise ValueError(f"frames is {frames}, but must be at least 1")
    _check_shares(min_given, max_given)
    mask = torch.ones(frames)
    if kind is MaskType.I2V:
        mask[0] = 0
    elif kind is MaskType.TRANSITION:
        mask[[0, -1]] = 0
    elif kind is MaskType.CLEAR:
        mask[:] = 0
    elif kind is not MaskType.T2IV:
        low, high = math.floor(frames * min_given), math.ceil(frames * max_given)
        given = int(torch.randint(low, high + 1, (), generator=generator))
        if kind is MaskType.CONTINUATION:
            mask[:given] = 0
        else:
            mask[torch.randperm(frames, generator=generator)[:given]] = 0
    return mask


def spread(mask_BT: Tensor, height: int, width: int) -> Tensor:
    """Masks of frames [B, T] → [B, 1, T, H, W], without a copy."""
    return mask_BT[:, None, :, None, None].expand(-1, -1, -1, height, width)


def masked_video(pixels: Tensor, mask: Tensor) -> Tensor:
    """What the VAE encodes: [B, 3, T, H, W] in [-1, 1], −1 (black) where `mask` is at least 0.5.

    Args:
        pixels: [B, 3, T, H, W], 0 to 255, of any type. They are hidden before they are scaled: zeroing the scaled video
            would leave grey.
        mask: [B, 1, T, H, W], 1 = generate and 0 = given.

    Raises:
        ValueError: a mask of another shape.
    """
    expected = [pixels.shape[0], 1, *pixels.shape[2:]]
    if list(mask.shape) != expected:
        raise ValueError(
            f"mask has shape {list(mask.shape)}, but must be {expected}, as pixels is {list(pixels.shape)}"
        )
    return signed(pixels.float() * (mask < 0.5))


def hidden(pixels: Tensor, masks_BT: Tensor) -> Tensor:
    """Clips [B, T, H, W, 3], uint8, under masks of their frames [B, T]: what the VAE encodes, as `masked_video`."""
    video = pixels.movedim(-1, 1)
    return masked_video(video, spread(masks_BT, *video.shape[3:]))


def compress_mask(mask: Tensor) -> Tensor:
    """A mask on the latent's grid, with the four frames of a latent frame as channels.

    Each frame is resized by itself, bilinearly between pixel centres. An odd number of frames begins with a latent of
    one frame, so frame 0 counts four times.

    Args:
        mask: [B, 1, T, H, W], T = 4n+1 or 4n, H and W multiples of 8.

    Returns:
        [B, 4, T', H/8, W/8], T' = n+1 for 4n+1 frames and n for 4n.

    Raises:
        ValueError: a mask of another shape.
    """
    shape = list(mask.shape)
    if mask.ndim != 5 or shape[1] != 1 or not mask.numel():
        raise ValueError(f"mask has shape {shape}, but must be [B, 1, T, H, W]")
    frames, height, width = shape[2:]
    if frames % TEMPORAL > 1:
        raise ValueError(f"mask has {frames} frames, but must have {TEMPORAL}n+1, or {TEMPORAL}n")
    if height % SPATIAL or width % SPATIAL:
        raise ValueError(f"mask is {height}x{width}, but both sides must be multiples of {SPATIAL}")
    size = (height // SPATIAL, width // SPATIAL)
    frames_of_all = mask.flatten(0, 2).unsqueeze(1)
    small = F.interpolate(
        frames_of_all if mask.is_floating_point() else frames_of_all.float(), size, mode="bilinear", align_corners=False
    )
    small = small.view(shape[0], frames, *size)
    if frames % 2:
        small = torch.cat([small[:, :1]] * (TEMPORAL - 1) + [small], dim=1)
    return small.unflatten(1, (-1, TEMPORAL)).transpose(1, 2)


def conditions(latent: Tensor, masks_BT: Tensor, scale: LatentScale, dtype: torch.dtype) -> dict[str, Tensor]:
    """What `ImageConditionedDenoiser` is told besides the text, as its arguments by name, on the latent's device.

    Args:
        latent: [B, C, T', h, w], the masked videos as the VAE gives them.
        masks_BT: [B, T], 1 = generate and 0 = given.
        dtype: the denoiser's.
    """
    height, width = (SPATIAL * side for side in latent.shape[3:])
    return {
        "condition_latent": scale.normalised(latent).to(dtype),
        "condition_mask": compress_mask(spread(masks_BT, height, width)).to(latent.device, dtype),
    }


def _check_shares(min_given: float, max_given: float) -> None:
    if not 0 <= min_given <= max_given <= 1:
        raise ValueError(f"min_given is {min_given} and max_given {max_given}, but must be in order within 0 to 1")
