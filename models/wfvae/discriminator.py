"""The critic of the adversarial loss: a 3D PatchGAN (arXiv 2411.17459)."""

from __future__ import annotations

from torch import Tensor, nn

from models.wfvae.convolutions import Conv3d

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


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv3d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm3d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)
