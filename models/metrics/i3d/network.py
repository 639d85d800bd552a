"""I3D (Carreira and Zisserman 2017, arXiv 1705.07750), trained on Kinetics-400.

The names are those of `i3d_pretrained_400.pt`, a port of the network on the TF hub. Convolutions and pools pad as
TensorFlow's "same" does.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.published import load_published

CLASSES = 400
LEAST_FRAMES = 10
"""Of a clip: 9 would go through the strides, and what is published demands 10."""
Triple = tuple[int, int, int]
MIXED: tuple[tuple[str, int, tuple[int, ...]], ...] = (
    ("Mixed_3b", 192, (64, 96, 128, 16, 32, 32)),
    ("Mixed_3c", 256, (128, 128, 192, 32, 96, 64)),
    ("Mixed_4b", 480, (192, 96, 208, 16, 48, 64)),
    ("Mixed_4c", 512, (160, 112, 224, 24, 64, 64)),
    ("Mixed_4d", 512, (128, 128, 256, 24, 64, 64)),
    ("Mixed_4e", 512, (112, 144, 288, 32, 64, 64)),
    ("Mixed_4f", 528, (256, 160, 320, 32, 128, 128)),
    ("Mixed_5b", 832, (256, 160, 320, 32, 128, 128)),
    ("Mixed_5c", 832, (384, 192, 384, 48, 128, 128)),
)
"""Inception blocks: name, channels in, channels of their six units."""
POOLED_BEFORE: dict[str, tuple[Triple, Triple]] = {
    "Conv3d_2b_1x1": ((1, 3, 3), (1, 2, 2)),
    "Mixed_3b": ((1, 3, 3), (1, 2, 2)),
    "Mixed_4b": ((3, 3, 3), (2, 2, 2)),
    "Mixed_5b": ((2, 2, 2), (2, 2, 2)),
}
"""Kernel and stride of the pool before a layer."""


class Unit(nn.Module):
    """A convolution, normalised and rectified."""

    def __init__(self, inwards: int, outwards: int, kernel: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.conv3d = nn.Conv3d(inwards, outwards, kernel, stride, bias=False)
        self.bn = nn.BatchNorm3d(outwards)
        self._kernel: Triple = (kernel, kernel, kernel)
        self._stride: Triple = (stride, stride, stride)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv3d(_same(x, self._kernel, self._stride))))


class Inception(nn.Module):
    def __init__(self, inwards: int, channels: tuple[int, ...]) -> None:
        super().__init__()
        single, before, three, before_too, three_too, pooled = channels
        self.b0 = Unit(inwards, single)
        self.b1a, self.b1b = Unit(inwards, before), Unit(before, three, 3)
        self.b2a, self.b2b = Unit(inwards, before_too), Unit(before_too, three_too, 3)
        self.b3b = Unit(inwards, pooled)

    def forward(self, x: Tensor) -> Tensor:
        pooled = _pool(x, (3, 3, 3), (1, 1, 1))
        return torch.cat([self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(pooled)], dim=1)


class Logits(nn.Module):
    def __init__(self, inwards: int, classes: int) -> None:
        super().__init__()
        self.conv3d = nn.Conv3d(inwards, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv3d(F.avg_pool3d(x, (2, 7, 7), 1)).mean(dim=(2, 3, 4))


class InceptionI3d(nn.Module):
    """[B, 3, T, 224, 224] in [-1, 1] → [B, 400]: logits of the classes, which serve as features."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv3d_1a_7x7 = Unit(3, 64, 7, 2)
        self.Conv3d_2b_1x1 = Unit(64, 64)
        self.Conv3d_2c_3x3 = Unit(64, 192, 3)
        for name, inwards, channels in MIXED:
            self.add_module(name, Inception(inwards, channels))
        self.logits = Logits(1024, CLASSES)

    def forward(self, video_BCTHW: Tensor) -> Tensor:
        """Raises ValueError for another shape."""
        _, colours, frames, *size = video_BCTHW.shape
        if colours != 3 or size != [224, 224] or frames < LEAST_FRAMES:
            raise ValueError(
                f"the video is {list(video_BCTHW.shape)}, but I3D takes [B, 3, T, 224, 224] with T of at least "
                f"{LEAST_FRAMES}"
            )
        x = video_BCTHW
        for name, layer in self.named_children():
            if name in POOLED_BEFORE:
                x = _pool(x, *POOLED_BEFORE[name])
            x = layer(x)
        return x


def _same(x: Tensor, kernel: Triple, stride: Triple) -> Tensor:
    """Padded by zeros so that a stride of r leaves a r-th of each side, rounded up; the larger half comes after."""
    sides: list[int] = []
    for size, reach, step in zip(x.shape[2:], kernel, stride, strict=True):
        total = max(reach - (size % step or step), 0)
        sides = [total // 2, total - total // 2, *sides]
    return F.pad(x, sides)


def _pool(x: Tensor, kernel: Triple, stride: Triple) -> Tensor:
    return F.max_pool3d(_same(x, kernel, stride), kernel, stride)


def load_i3d(published: Mapping[str, object]) -> InceptionI3d:
    """The network of a state dict as `i3d_pretrained_400.pt` holds it, in evaluation mode.

    Raises:
        UnfitWeights: it is another network's.
    """
    network = InceptionI3d()
    load_published(network, published, of="I3D of Kinetics-400")
    return network.eval()
