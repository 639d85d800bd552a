"""What AMT-S is made of, under the published names."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SIDE = 20
"""Channels of a residual block that get convolutions of their own."""


def resize(x: Tensor, factor: float) -> Tensor:
    return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


def convolution(inwards: int, outwards: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """With PReLU, whose slope each channel has for itself."""
    convolved = nn.Conv2d(inwards, outwards, kernel, stride, kernel // 2)
    return nn.Sequential(convolved, nn.PReLU(outwards))


class Bottleneck(nn.Module):
    """Of the features for correlation: 1×1, 3×3, 1×1, each normalised and rectified, added to the input."""

    def __init__(self, inwards: int, outwards: int, stride: int) -> None:
        super().__init__()
        inner = outwards // 4
        self.conv1 = nn.Conv2d(inwards, inner, 1)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, 1)
        self.conv3 = nn.Conv2d(inner, outwards, 1)
        self.downsample = nn.Sequential(nn.Conv2d(inwards, outwards, 1, stride)) if stride != 1 else None

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for layer in (self.conv1, self.conv2, self.conv3):
            y = F.relu(F.instance_norm(layer(y)))
        shortcut = x if self.downsample is None else F.instance_norm(self.downsample(x))
        return F.relu(shortcut + y)


class FeatureEncoder(nn.Module):
    """Frames → features at an eighth of the size, whose products are the correlation."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, 7, 2, 3)
        self.layer1 = nn.Sequential(Bottleneck(32, 32, 1), Bottleneck(32, 32, 1))
        self.layer2 = nn.Sequential(Bottleneck(32, 64, 2), Bottleneck(64, 64, 1))
        self.layer3 = nn.Sequential(Bottleneck(64, 96, 2), Bottleneck(96, 96, 1))
        self.conv2 = nn.Conv2d(96, 84, 1)

    def forward(self, frames: Tensor) -> Tensor:
        x = F.relu(F.instance_norm(self.conv1(frames)))
        return self.conv2(self.layer3(self.layer2(self.layer1(x))))


class Pyramid(nn.Module):
    """Frames → features at 1/2, 1/4, 1/8 and 1/16 of the size."""

    def __init__(self, channels: tuple[int, ...]) -> None:
        super().__init__()
        for number, (inwards, outwards) in enumerate(zip((3, *channels), channels, strict=False), start=1):
            level = nn.Sequential(convolution(inwards, outwards, stride=2), convolution(outwards, outwards))
            self.add_module(f"pyramid{number}", level)

    def forward(self, frames: Tensor) -> list[Tensor]:
        found = []
        for level in self.children():
            frames = level(frames)
            found.append(frames)
        return found


class Residual(nn.Module):
    """Five convolutions on all channels and, in between, on the last 20 alone."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = convolution(channels, channels)
        self.conv2 = convolution(SIDE, SIDE)
        self.conv3 = convolution(channels, channels)
        self.conv4 = convolution(SIDE, SIDE)
        self.conv5 = nn.Conv2d(channels, channels, 3, 1, 1)
        self.prelu = nn.PReLU(channels)

    def forward(self, x: Tensor) -> Tensor:
        y = _on_the_last(self.conv1(x), self.conv2)
        y = _on_the_last(self.conv3(y), self.conv4)
        return self.prelu(x + self.conv5(y))


def _on_the_last(x: Tensor, layer: nn.Module) -> Tensor:
    return torch.cat([x[:, :-SIDE], layer(x[:, -SIDE:])], dim=1)


class Decoder(nn.Module):
    """What is known of both frames at a level → flows and features of twice the size."""

    def __init__(self, inwards: int, inner: int, outwards: int) -> None:
        super().__init__()
        self.convblock = nn.Sequential(
            convolution(inwards, inner), Residual(inner), nn.ConvTranspose2d(inner, outwards, 4, 2, 1)
        )

    def forward(self, *known: Tensor) -> Tensor:
        return self.convblock(torch.cat(known, dim=1))


class Update(nn.Module):
    """Correlation around the places that the flows name → what to add to features and flows, at `factor` times the
    eighth of the size at which the correlation is."""

    def __init__(self, channels: int, factor: int) -> None:
        super().__init__()
        self.factor = factor
        self.convc1 = nn.Conv2d(2 * 4 * 49, 64, 1)
        self.convf1 = nn.Conv2d(4, 40, 7, padding=3)
        self.convf2 = nn.Conv2d(40, 20, 3, padding=1)
        self.conv = nn.Conv2d(84, 68, 3, padding=1)
        self.gru = _two(68 + 4 + channels, 76)
        self.feat_head = _two(76, channels)
        self.flow_head = _two(76, 4)

    def forward(self, features: Tensor, flows: Tensor, correlation: Tensor) -> tuple[Tensor, Tensor]:
        """Features at their own size; flows and correlation at an eighth. Both results are at the features' size."""
        if self.factor != 1:
            features = resize(features, 1 / self.factor)
        seen = F.leaky_relu(self.convc1(correlation), 0.1)
        moved = F.leaky_relu(self.convf2(F.leaky_relu(self.convf1(flows), 0.1)), 0.1)
        both = F.leaky_relu(self.conv(torch.cat([seen, moved], dim=1)), 0.1)
        state = self.gru(torch.cat([both, flows, features], dim=1))
        more_features, more_flows = self.feat_head(state), self.flow_head(state)
        if self.factor != 1:
            more_features = resize(more_features, self.factor)
            more_flows = self.factor * resize(more_flows, self.factor)
        return more_features, more_flows


def _two(inwards: int, outwards: int) -> nn.Sequential:
    hidden = 76
    return nn.Sequential(
        nn.Conv2d(inwards, hidden, 3, padding=1), nn.LeakyReLU(0.1), nn.Conv2d(hidden, outwards, 3, padding=1)
    )
