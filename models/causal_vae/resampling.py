"""Doubling the sides, halving and doubling the frames of video [B, C, T, H, W] (Open-Sora Plan v1.1).

Halving the sides is the WF-VAE's `FrameDownsample`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.wfvae.convolutions import CausalConv3d, causal_input, fold_frames, unfold_frames

MIX_FACTOR = 2.0
FINAL_MIX_FACTOR = 0.5
"""What the last training stage restarts from."""


class FlatConv3d(nn.Conv3d):
    """A 1×3×3 convolution: it sees one frame, but its kernel has the time axis of a causal one."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels, (1, 3, 3), padding=(0, 1, 1))


class SpatialUpsample(nn.Module):
    """Each frame to twice its sides, by repetition and a 1×3×3 convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = FlatConv3d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(unfold_frames(F.interpolate(fold_frames(x), scale_factor=2.0, mode="nearest"), x.shape[0]))


class _Mixing(nn.Module):
    """Resampling by a fixed rule and by a learned one, mixed by a learned share sigmoid(`mix_factor`) of the former."""

    def __init__(self) -> None:
        super().__init__()
        self.mix_factor = nn.Parameter(torch.tensor([MIX_FACTOR]))

    def mix(self, fixed: Tensor, learned: Tensor) -> Tensor:
        share = torch.sigmoid(self.mix_factor)
        return share * fixed + (1 - share) * learned


class TimeDownsample(_Mixing):
    """[2m+1] → [m+1] frames: the mean of three frames, and a convolution of them, frame 0 standing for those before."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(channels, channels, 3, stride=(2, 1, 1), padding=(0, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = causal_input(self, x, kernel=3, stride=2, cache=None)
        mean = (x[:, :, :-2:2] + x[:, :, 1:-1:2] + x[:, :, 2::2]) / 3  # pooling lacks a bfloat16 kernel on CPUs
        return self.mix(mean, self.conv(x))


class TimeUpsample(_Mixing):
    """[m+1] → [2m+1] frames: frame 0 stays one, the others are interpolated to twice as many; also convolved.

    Interpolation looks one frame ahead, so only frame 0 is free of later latents.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = CausalConv3d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[2] > 1:
            later = F.interpolate(x[:, :, 1:], scale_factor=(2.0, 1.0, 1.0), mode="trilinear", align_corners=False)
            x = torch.cat([x[:, :, :1], later], dim=2)
        return self.mix(x, self.conv(x))


def reset_mix_factors(module: nn.Module, value: float = FINAL_MIX_FACTOR) -> None:
    """Set every mix factor inside `module`; 0.5 gives the fixed rules a share of 0.6225."""
    for layer in module.modules():
        if isinstance(layer, _Mixing):
            nn.init.constant_(layer.mix_factor, value)
