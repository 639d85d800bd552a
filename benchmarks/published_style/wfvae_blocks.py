"""The layers of a plain WF-VAE, over video [B, C, T, H, W]."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.published_style.wavelets import CausalConv3d


def to_images(x: Tensor) -> Tensor:
    """[B, C, T, H, W] → [B·T, C, H, W]."""
    batch, channels, frames, height, width = x.shape
    return x.permute(0, 2, 1, 3, 4).contiguous().view(batch * frames, channels, height, width)


def to_video(x: Tensor, batch: int) -> Tensor:
    """[B·T, C, H, W] → [B, C, T, H, W]."""
    return x.view(batch, -1, *x.shape[1:]).permute(0, 2, 1, 3, 4).contiguous()


def nonlinearity(x: Tensor) -> Tensor:
    return x * torch.sigmoid(x)


class LayerNorm(nn.Module):
    """Over the channels, at axis 1, of each place of a video or an image."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim == 4:
            return self.norm(x.permute(0, 2, 3, 1).contiguous()).permute(0, 3, 1, 2).contiguous()
        return self.norm(x.permute(0, 2, 3, 4, 1).contiguous()).permute(0, 4, 1, 2, 3).contiguous()


class Conv2d(nn.Conv2d):
    """A convolution of each frame, or of images."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) if x.ndim == 4 else to_video(super().forward(to_images(x)), x.shape[0])


class ResnetBlock3D(nn.Module):
    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.norm1 = LayerNorm(in_channels)
        self.conv1 = CausalConv3d(in_channels, out_channels, 3, padding=1)
        self.norm2 = LayerNorm(out_channels)
        self.conv2 = CausalConv3d(out_channels, out_channels, 3, padding=1)
        if in_channels != out_channels:
            self.nin_shortcut = CausalConv3d(in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm1(x)
        h = nonlinearity(h)
        h = self.conv1(h)
        h = self.norm2(h)
        h = nonlinearity(h)
        h = self.conv2(h)
        if hasattr(self, "nin_shortcut"):
            x = self.nin_shortcut(x)
        return x + h


class ResnetBlock2D(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm1 = LayerNorm(channels)
        self.conv1 = Conv2d(channels, channels, 3, padding=1)
        self.norm2 = LayerNorm(channels)
        self.conv2 = Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        batch = x.shape[0]
        x = to_images(x)
        h = self.norm1(x)
        h = nonlinearity(h)
        h = self.conv1(h)
        h = self.norm2(h)
        h = nonlinearity(h)
        h = self.conv2(h)
        return to_video(x + h, batch)


class AttnBlock3D(nn.Module):
    """Single-head attention among the places of each frame."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = LayerNorm(channels)
        self.q = CausalConv3d(channels, channels, 1)
        self.k = CausalConv3d(channels, channels, 1)
        self.v = CausalConv3d(channels, channels, 1)
        self.proj_out = CausalConv3d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm(x)
        q, k, v = to_images(self.q(h)), to_images(self.k(h)), to_images(self.v(h))
        frames, channels, height, width = q.shape
        scores = torch.bmm(q.reshape(frames, channels, -1).permute(0, 2, 1), k.reshape(frames, channels, -1))
        weights = F.softmax(scores * channels**-0.5, dim=2)
        h = torch.bmm(v.reshape(frames, channels, -1), weights.permute(0, 2, 1))
        return x + self.proj_out(to_video(h.reshape(frames, channels, height, width), x.shape[0]))


class Downsample(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = Conv2d(channels, channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.pad(x, (0, 1, 0, 1)))


class Spatial2xTime2x3DDownsample(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = CausalConv3d(channels, channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.pad(x, (0, 1, 0, 1)))


class Upsample(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        images = F.interpolate(to_images(x), scale_factor=2.0, mode="nearest")
        return to_video(self.conv(images), x.shape[0])


class Spatial2xTime2x3DUpsample(nn.Module):
    """Frame 0 grows in space only, the later frames in time and space."""

    def __init__(self, channels: int, mode: str) -> None:
        super().__init__()
        self.mode = mode
        self.conv = CausalConv3d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        first, later = x[:, :, :1], x[:, :, 1:]
        x = F.interpolate(first, scale_factor=(1.0, 2.0, 2.0), mode="trilinear")
        if later.shape[2]:
            later = F.interpolate(later, scale_factor=(2.0, 1.0, 1.0), mode=self.mode)
            later = F.interpolate(later, scale_factor=(1.0, 2.0, 2.0), mode="trilinear")
            x = torch.cat([x, later], dim=2)
        return self.conv(x)
