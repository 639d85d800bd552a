"""A plain WF-VAE with layer normalisation, over video [B, C, T, H, W]."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.published_style.wavelets import (
    CausalConv3d,
    HaarWaveletTransform2D,
    HaarWaveletTransform3D,
    InverseHaarWaveletTransform2D,
    InverseHaarWaveletTransform3D,
)
from benchmarks.published_style.wfvae_blocks import (
    AttnBlock3D,
    Conv2d,
    Downsample,
    LayerNorm,
    ResnetBlock2D,
    ResnetBlock3D,
    Spatial2xTime2x3DDownsample,
    Spatial2xTime2x3DUpsample,
    Upsample,
    nonlinearity,
)
from models.wfvae import WFVAEConfig


class Encoder(nn.Module):
    def __init__(self, config: WFVAEConfig) -> None:
        super().__init__()
        width, flow, blocks = config.base_channels, config.encoder_flow_channels, config.encoder_blocks
        self.wavelet_transform_in = HaarWaveletTransform3D()
        self.wavelet_transform_l1 = HaarWaveletTransform2D()
        self.wavelet_transform_l2 = HaarWaveletTransform3D()
        self.down1 = nn.Sequential(
            Conv2d(24, width, 3, padding=1), *(ResnetBlock2D(width) for _ in range(blocks)), Downsample(width)
        )
        self.down2 = nn.Sequential(
            Conv2d(width + flow, 2 * width, 3, padding=1),
            *(ResnetBlock3D(2 * width, 2 * width) for _ in range(blocks)),
            Spatial2xTime2x3DDownsample(2 * width),
        )
        self.connect_l1, self.connect_l2 = Conv2d(12, flow, 3, padding=1), Conv2d(24, flow, 3, padding=1)
        attention = [AttnBlock3D(4 * width)] if config.attention else []
        self.mid = nn.Sequential(
            ResnetBlock3D(2 * width + flow, 4 * width), *attention, ResnetBlock3D(4 * width, 4 * width)
        )
        self.norm_out = LayerNorm(4 * width)
        self.conv_out = CausalConv3d(4 * width, 2 * config.latent_channels, 3, padding=1)

    def forward(self, video: Tensor) -> Tensor:
        coefficients = self.wavelet_transform_in(video)
        level1 = self.wavelet_transform_l1(coefficients[:, :3])
        level2 = self.wavelet_transform_l2(level1[:, :3])
        h = self.down1(coefficients)
        h = self.down2(torch.cat([h, self.connect_l1(level1)], dim=1))
        h = self.mid(torch.cat([h, self.connect_l2(level2)], dim=1))
        h = self.norm_out(h)
        h = nonlinearity(h)
        return self.conv_out(h)


class Decoder(nn.Module):
    def __init__(self, config: WFVAEConfig) -> None:
        super().__init__()
        width, blocks = config.base_channels, config.decoder_blocks
        self.flow = flow = config.decoder_flow_channels
        self.conv_in = CausalConv3d(config.latent_channels, 4 * width, 3, padding=1)
        attention = [AttnBlock3D(4 * width)] if config.attention else []
        self.mid = nn.Sequential(
            ResnetBlock3D(4 * width, 4 * width), *attention, ResnetBlock3D(4 * width, 4 * width + flow)
        )
        self.up2 = nn.Sequential(
            *(ResnetBlock3D(4 * width, 4 * width) for _ in range(blocks)),
            Spatial2xTime2x3DUpsample(4 * width, config.temporal_upsampling),
            ResnetBlock3D(4 * width, 4 * width + flow),
        )
        self.up1 = nn.Sequential(
            ResnetBlock3D(4 * width, 2 * width),
            *(ResnetBlock3D(2 * width, 2 * width) for _ in range(blocks - 1)),
            Upsample(2 * width),
            ResnetBlock3D(2 * width, 2 * width),
        )
        self.layer = nn.Sequential(ResnetBlock3D(2 * width, width), ResnetBlock3D(width, width))
        self.connect_l1 = nn.Sequential(
            *(ResnetBlock3D(flow, flow) for _ in range(config.flow_blocks)), Conv2d(flow, 12, 3, padding=1)
        )
        self.connect_l2 = nn.Sequential(
            *(ResnetBlock3D(flow, flow) for _ in range(config.flow_blocks)), Conv2d(flow, 24, 3, padding=1)
        )
        self.norm_out = LayerNorm(width)
        self.conv_out = Conv2d(width, 24, 3, padding=1)
        self.inverse_wavelet_transform_out = InverseHaarWaveletTransform3D()
        self.inverse_wavelet_transform_l1 = InverseHaarWaveletTransform2D()
        self.inverse_wavelet_transform_l2 = InverseHaarWaveletTransform3D()

    def forward(self, latent: Tensor) -> Tensor:
        h = self.mid(self.conv_in(latent))
        level2 = self.connect_l2(h[:, -self.flow :])
        low2 = self.inverse_wavelet_transform_l2(level2)
        h = self.up2(h[:, : -self.flow])
        level1 = self.connect_l1(h[:, -self.flow :])
        level1[:, :3] = level1[:, :3] + low2
        low1 = self.inverse_wavelet_transform_l1(level1)
        h = self.layer(self.up1(h[:, : -self.flow]))
        h = self.norm_out(h)
        h = nonlinearity(h)
        h = self.conv_out(h)
        h[:, :3] = h[:, :3] + low1
        return self.inverse_wavelet_transform_out(h)


class PlainWFVAE(nn.Module):
    """Video [B, 3, 4n+1, H, W] to and from latents [B, latent_channels, n+1, H/8, W/8], always in one piece."""

    def __init__(self, config: WFVAEConfig) -> None:
        super().__init__()
        self.encoder, self.decoder = Encoder(config), Decoder(config)

    def encode(self, video: Tensor) -> tuple[Tensor, Tensor]:
        """The posterior's mean and log-variance."""
        mean, log_variance = self.encoder(video).chunk(2, dim=1)
        return mean, torch.clamp(log_variance, -30.0, 20.0)

    def decode(self, latent: Tensor) -> Tensor:
        return self.decoder(latent)
