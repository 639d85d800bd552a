"""The layers that change the number of frames or of places, each against its rule."""

import pytest
import torch
from torch.nn import functional as F

from models.causal_vae.resampling import SpatialUpsample, TimeDownsample, TimeUpsample


@pytest.mark.parametrize("frames", [1, 3, 9])
@torch.no_grad()
def test_time_downsample(frames):
    layer, x = TimeDownsample(4), torch.randn(2, 4, frames, 5, 6)
    share = torch.tensor(2.0).sigmoid()
    padded = torch.cat([x[:, :, :1], x[:, :, :1], x], dim=2)
    means = torch.stack([padded[:, :, t : t + 3].mean(dim=2) for t in range(0, frames, 2)], dim=2)
    learned = F.conv3d(padded, layer.conv.weight, layer.conv.bias, stride=(2, 1, 1), padding=(0, 1, 1))
    torch.testing.assert_close(layer(x), share * means + (1 - share) * learned)
    assert layer(x).shape[2] == frames // 2 + 1


@pytest.mark.parametrize("frames", [1, 2, 5])
@torch.no_grad()
def test_time_upsample(frames):
    layer, x = TimeUpsample(4), torch.randn(2, 4, frames, 5, 6)
    layer.mix_factor.fill_(0.5)
    share = torch.tensor(0.5).sigmoid()
    doubled = [x[:, :, 0]]
    for t in range(1, frames):
        before, after = x[:, :, max(t - 1, 1)], x[:, :, min(t + 1, frames - 1)]
        doubled += [0.25 * before + 0.75 * x[:, :, t], 0.75 * x[:, :, t] + 0.25 * after]
    u = torch.stack(doubled, dim=2)
    padded = torch.cat([u[:, :, :1], u[:, :, :1], u], dim=2)
    learned = F.conv3d(padded, layer.conv.weight, layer.conv.bias, padding=(0, 1, 1))
    torch.testing.assert_close(layer(x), share * u + (1 - share) * learned, rtol=0, atol=1e-5)
    assert layer(x).shape[2] == 2 * frames - 1


@torch.no_grad()
def test_spatial_upsample():
    layer, x = SpatialUpsample(4), torch.randn(2, 4, 3, 5, 6)
    assert layer.conv.weight.shape == (4, 4, 1, 3, 3)
    doubled = x.repeat_interleave(2, dim=3).repeat_interleave(2, dim=4)
    expected = F.conv3d(doubled, layer.conv.weight, layer.conv.bias, padding=(0, 1, 1))
    torch.testing.assert_close(layer(x), expected)


def test_mix_factors(tiny_vae):
    vae = tiny_vae()
    factors = {name: value for name, value in vae.named_parameters() if name.endswith("mix_factor")}
    assert sorted(factors) == [
        "decoder.levels.2.time_upsample.mix_factor",
        "decoder.levels.3.time_upsample.mix_factor",
        "encoder.levels.1.time_downsample.mix_factor",
        "encoder.levels.2.time_downsample.mix_factor",
    ]
    assert [round(value.sigmoid().item(), 4) for value in factors.values()] == [0.8808] * 4
    vae.reset_mix_factors()
    assert [round(value.sigmoid().item(), 4) for value in factors.values()] == [0.6225] * 4
    vae.reset_mix_factors(1.5)
    assert [value.item() for value in factors.values()] == [1.5] * 4
