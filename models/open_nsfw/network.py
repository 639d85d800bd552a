"""open_nsfw (Mahadeokar and Pesavento 2016): a residual network of 50 layers, half as wide as the usual one.

Batch normalisation is folded into the convolutions, as in the file that the weights come from.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

SIDE = 224
"""Pixels of the square pictures that the network was trained on."""
MEAN_BGR = (104.0, 117.0, 123.0)
"""Of ImageNet's pictures, which is taken off blue, green and red, 0 to 255."""
BLOCKS, WIDTHS, EXPANSION = (3, 4, 6, 3), (32, 64, 128, 256), 4


class Bottleneck(nn.Module):
    """[N, C, H, W] → [N, 4 · width, H / stride, W / stride]. The first one of a stage projects what it adds to."""

    def __init__(self, channels: int, width: int, stride: int, first: bool) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(channels, width, 1, stride)
        self.middle = nn.Conv2d(width, width, 3, padding=1)
        self.widen = nn.Conv2d(width, EXPANSION * width, 1)
        self.shortcut = nn.Conv2d(channels, EXPANSION * width, 1, stride) if first else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        inner = F.relu(self.middle(F.relu(self.narrow(x))))
        return F.relu(self.widen(inner) + self.shortcut(x))


class OpenNsfw(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 2 * WIDTHS[0], 7, stride=2, padding=3)
        channels = 2 * WIDTHS[0]
        stages = []
        for stage, (count, width) in enumerate(zip(BLOCKS, WIDTHS, strict=True)):
            blocks = []
            for number in range(count):
                stride = 2 if number == 0 and stage > 0 else 1
                blocks.append(Bottleneck(channels, width, stride, first=number == 0))
                channels = EXPANSION * width
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.Sequential(*stages)
        self.classes = nn.Linear(channels, 2)

    def forward(self, pictures: Tensor) -> Tensor:
        """Blue, green and red less their means, float32 [N, 3, 224, 224] → probabilities [N, 2]: safe, and not.

        Raises:
            ValueError: pictures of another size.
        """
        if pictures.shape[1:] != (3, SIDE, SIDE):
            raise ValueError(f"pictures are {tuple(pictures.shape)}, expected [N, 3, {SIDE}, {SIDE}]")
        x = F.max_pool2d(F.relu(self.stem(pictures)), 3, 2, ceil_mode=True)
        return self.classes(self.stages(x).mean(dim=(2, 3))).softmax(dim=1)
