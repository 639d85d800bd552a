"""Doubling sides and frames, against the plain operations that it stands for."""

import pytest
import torch
from torch.nn import functional as F

from models.wfvae.convolutions import CausalConv3d
from models.wfvae.resampling import CausalUpsample, FrameUpsample


@pytest.mark.parametrize(("height", "width"), [(4, 6), (1, 1), (3, 5)])
def test_phases_are_repetition_and_convolution(height, width):
    layer, x = FrameUpsample(5), torch.randn(2, 5, 3, height, width, requires_grad=True)
    frames = [layer.conv(F.interpolate(frame, scale_factor=2.0, mode="nearest")) for frame in x.unbind(2)]
    expected, actual = torch.stack(frames, dim=2), layer(x)
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-5)
    weight = layer.conv.weight
    for a, b in zip(
        torch.autograd.grad(actual.sin().sum(), [x, weight, layer.conv.bias]),
        torch.autograd.grad(expected.sin().sum(), [x, weight, layer.conv.bias]),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("mode", ["trilinear", "nearest"])
@pytest.mark.parametrize("frames", [1, 2, 3, 6])
def test_frames_as_the_sheet_doubles_them(mode, frames):
    layer, x = CausalUpsample(3, mode), torch.randn(2, 3, frames, 4, 5)
    parts = [F.interpolate(x[:, :, :1], scale_factor=(1.0, 2.0, 2.0), mode="trilinear")]
    if frames > 1:
        later = F.interpolate(x[:, :, 1:], scale_factor=(2.0, 1.0, 1.0), mode=mode)
        parts.append(F.interpolate(later, scale_factor=(1.0, 2.0, 2.0), mode="trilinear"))
    expected = layer.conv(torch.cat(parts, dim=2))
    assert expected.shape == (2, 3, 2 * frames - 1, 8, 10)
    torch.testing.assert_close(layer(x), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("stride", [1, 2])
def test_an_image_sees_the_sum_of_all_taps(stride):
    layer, x = CausalConv3d(4, 6, 3, stride=stride, padding=1), torch.randn(2, 4, 1, 6, 8)
    repeated = torch.cat([x, x, x], dim=2)
    expected = F.conv3d(repeated, layer.weight, layer.bias, layer.stride, layer.padding)
    torch.testing.assert_close(layer(x), expected, rtol=0, atol=1e-5)
