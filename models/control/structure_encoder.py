"""From a structure video to tokens beside those of a latent (arXiv 2412.00131).

B: batch · S: latent tokens · D: width
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from models.dit.embeddings import PatchEmbed
from models.geometry import PATCH
from models.wfvae.convolutions import Conv3d, causal_input

STRIDES = ((1, 2, 2), (2, 2, 2), (2, 2, 2))
"""Their products are the reduction of the VAE; the first keeps every frame, where edges are still sharp."""


class StridedCausalConv3d(Conv3d):
    """A 3×3×3 convolution that sees no later frame, so that frame 0 stays a latent of its own, as in the VAE."""

    def __init__(self, in_channels: int, out_channels: int, stride: tuple[int, int, int]) -> None:
        super().__init__(in_channels, out_channels, 3, stride, (0, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(causal_input(self, x, 3, self.stride[0], None))


class StructureEncoder(nn.Module):
    """Structure video [B, C, 1+4n, H, W] → tokens [B, S, D], S = (1+n)·H/16·W/16 in the order of the axes."""

    def __init__(self, channels: int, first_width: int, width: int) -> None:
        super().__init__()
        widths = [channels, *(first_width * 2**level for level in range(len(STRIDES)))]
        self.convolutions = nn.ModuleList(
            StridedCausalConv3d(before, after, stride)
            for before, after, stride in zip(widths, widths[1:], STRIDES, strict=False)
        )
        self.patch_embed = PatchEmbed(widths[-1], width, PATCH)

    def forward(self, structure: Tensor) -> Tensor:
        x = structure
        for convolution in self.convolutions:
            x = F.silu(convolution(x))
        return self.patch_embed(x)
