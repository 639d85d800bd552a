"""The critics of the adversarial loss: PatchGANs that look at clips (arXiv 2411.17459) or at frames."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from models.wfvae.convolutions import Conv3d, fold_frames

MAX_WIDENING = 8
SLOPE = 0.2


class PatchDiscriminator3D(nn.Module):
    """Video [B, 3, T, H, W] in [-1, 1] → logits [B, 1, t, h, w], one for each overlapping patch; above 0 is real.

    `layers` convolutions halve the sides, the first two of them also the frames. With 4 layers of width 64 it is the
    released one.
    """

    def __init__(self, width: int = 64, layers: int = 4) -> None:
        super().__init__()
        widths = [width * min(2**i, MAX_WIDENING) for i in range(layers + 1)]
        strides = [(2 if i < 2 else 1, 2, 2) for i in range(layers)] + [(1, 1, 1)]
        modules: list[nn.Module] = [Conv3d(3, width, 3, strides[0], 1), nn.LeakyReLU(SLOPE)]
        for a, b, stride in zip(widths, widths[1:], strides[1:], strict=False):
            modules += [Conv3d(a, b, 3, stride, 1, bias=False), nn.BatchNorm3d(b), nn.LeakyReLU(SLOPE)]
        self.layers = nn.Sequential(*modules, Conv3d(widths[-1], 1, 3, 1, 1))
        self.apply(_initialise)

    def forward(self, video: Tensor) -> Tensor:
        return self.layers(video)


class PatchDiscriminator2D(nn.Module):
    """Video [B, 3, T, H, W] in [-1, 1] → logits [B·T, 1, h, w], one for each overlapping patch of each frame.

    `layers` convolutions halve the sides: the PatchGAN of image autoencoders (arXiv 1611.07004, arXiv 2012.09841),
    with which the VAE of Open-Sora Plan was taught before v1.1. With 3 layers of width 64 it is the one used there.
    """

    def __init__(self, width: int = 64, layers: int = 3) -> None:
        super().__init__()
        widths = [width * min(2**i, MAX_WIDENING) for i in range(layers + 1)]
        modules: list[nn.Module] = [nn.Conv2d(3, width, 4, 2, 1), nn.LeakyReLU(SLOPE)]
        for number, (a, b) in enumerate(pairwise(widths), start=1):
            stride = 2 if number < layers else 1
            modules += [nn.Conv2d(a, b, 4, stride, 1, bias=False), nn.BatchNorm2d(b), nn.LeakyReLU(SLOPE)]
        self.layers = nn.Sequential(*modules, nn.Conv2d(widths[-1], 1, 4, 1, 1))
        self.apply(_initialise)

    def forward(self, video: Tensor) -> Tensor:
        return self.layers(fold_frames(video))


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.Conv3d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)
