"""Maps of five strides from the one of the backbone."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from models.metrics.grit.backbone import VisionTransformer
from models.metrics.grit.config import GritConfig

STRIDES = (8, 16, 32, 64, 128)


class ChannelNorm(nn.LayerNorm):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Top(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.p6 = nn.Conv2d(width, width, 3, 2, 1)
        self.p7 = nn.Conv2d(width, width, 3, 2, 1)

    def forward(self, finest: Tensor) -> list[Tensor]:
        p6 = self.p6(finest)
        return [p6, self.p7(F.relu(p6))]


class Backbone(nn.Module):
    """Normalised frames [1, 3, H, W], sides multiples of 32 → p3 to p7."""

    def __init__(self, config: GritConfig) -> None:
        super().__init__()
        width = config.pyramid
        self.bottom_up = VisionTransformer(config)
        self.fpn_stride_16_8 = nn.ConvTranspose2d(config.width, config.width, 2, 2, bias=False)
        for stride in STRIDES[:3]:
            self.add_module(f"fpn_stride{stride}_conv1", nn.Conv2d(config.width, width, 1, bias=False))
            self.add_module(f"fpn_stride{stride}_norm1", ChannelNorm(width))
            self.add_module(f"fpn_stride{stride}_conv2", nn.Conv2d(width, width, 3, padding=1, bias=False))
            self.add_module(f"fpn_stride{stride}_norm2", ChannelNorm(width))
        self.top_block = Top(width)

    def forward(self, frames: Tensor) -> list[Tensor]:
        return self.pyramid(self.bottom_up(frames))

    def pyramid(self, x: Tensor) -> list[Tensor]:
        scales = (self.fpn_stride_16_8(x), x, F.max_pool2d(x, 2, 2))
        levels = [self._level(stride, each) for stride, each in zip(STRIDES, scales, strict=False)]
        return [*levels, *self.top_block(levels[-1])]

    def _level(self, stride: int, x: Tensor) -> Tensor:
        for part in ("conv1", "norm1", "conv2", "norm2"):
            x = self.get_submodule(f"fpn_stride{stride}_{part}")(x)
        return x
