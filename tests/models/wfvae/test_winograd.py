"""Fewer products, the same convolution."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from models.wfvae import winograd
from models.wfvae.cache import CausalCache
from models.wfvae.convolutions import CausalConv3d


@pytest.mark.parametrize("frames", [2, 3, 4, 5, 8, 9])
@pytest.mark.parametrize("places", [1, 300, 10**6])
def test_equals_the_direct_convolution(frames: int, places: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """For even and odd numbers of frames, all at once or in parts."""
    monkeypatch.setattr(winograd, "PLACES", places)
    torch.manual_seed(frames)
    front, x = torch.randn(2, 6, 2, 8, 10), torch.randn(2, 6, frames, 8, 10)
    weight, bias = torch.randn(5, 6, 3, 3, 3) / 12, torch.randn(5)
    direct = F.conv3d(torch.cat([front, x], dim=2), weight, bias, padding=(0, 1, 1))
    torch.testing.assert_close(winograd.convolve(front, x, weight, bias), direct, atol=3e-6, rtol=0)


def test_its_error_is_a_few_roundings() -> None:
    """That of the direct convolution is 1.5 or 2.1, by the kernel that the processor gets, and so no measure."""
    torch.manual_seed(0)
    front, x = torch.randn(1, 64, 2, 16, 16), torch.randn(1, 64, 8, 16, 16)
    weight = torch.randn(64, 64, 3, 3, 3) / (64 * 27) ** 0.5
    exact = F.conv3d(torch.cat([front, x], dim=2).double(), weight.double(), padding=(0, 1, 1))
    error = (winograd.convolve(front, x, weight, None) - exact).abs().mean()
    assert error < 4 * torch.finfo(torch.float32).eps * exact.std()


def test_only_inference_on_a_cpu_takes_it() -> None:
    big = torch.randn(1, 4, 9, 16, 16)
    assert not winograd.pays(big)  # gradients are wanted
    with torch.no_grad():
        assert winograd.pays(big)
        assert not winograd.pays(big.bfloat16())
        assert not winograd.pays(big.to("meta"))
        assert not winograd.pays(big[:, :, :1])
        assert not winograd.pays(big[..., :8, :8])


@pytest.mark.parametrize("chunks", [(9,), (1, 8), (4, 4, 1), (3, 2, 4), (2, 5, 2)])
def test_inference_in_chunks_equals_training(chunks: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    layer, x = CausalConv3d(4, 6, 3, padding=1), torch.randn(2, 4, 9, 32, 32)
    expected, cache = layer(x), CausalCache()
    with torch.inference_mode():
        found = torch.cat([layer(part, cache) for part in x.split(chunks, dim=2)], dim=2)
    torch.testing.assert_close(found, expected, atol=2e-6, rtol=0)
