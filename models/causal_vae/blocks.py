"""The residual block of the levels that see one frame at a time; the causal one is the WF-VAE's."""

from __future__ import annotations

from torch import Tensor, nn

from models.wfvae.convolutions import fold_frames, unfold_frames
from models.wfvae.normalization import activated, normalization

NORM = "groupnorm"
"""In causal blocks its statistics cover all frames: so a latent does depend, faintly, on later frames."""


class FrameResidualBlock(nn.Module):
    """Norm, SiLU and 3×3 convolution, twice, added to the input, over the frames of [B, C, T, H, W] one by one.

    Unlike the WF-VAE's, it may change the number of channels.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.norm1 = normalization(NORM, in_channels)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.norm2 = normalization(NORM, out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.shortcut = nn.Conv2d(in_channels, out_channels, 1) if in_channels != out_channels else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        frames = fold_frames(x)
        h = self.conv1(activated(self.norm1(frames)))
        h = self.conv2(activated(self.norm2(h)))
        return unfold_frames(h.add_(self.shortcut(frames)), x.shape[0])
