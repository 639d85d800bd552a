"""What lower precision costs: the errors that docs/models.md states, at full width and random weights.

TensorFloat-32 needs a GPU. Here its rounding is applied to what goes into each product, which is all that it does:
products are exact and sums are float32.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from models.dit import DenoiserConfig, SkiparseDenoiser
from models.wfvae import WFVAE, WFVAEConfig

PAGE = Path(__file__).resolve().parents[2] / "docs" / "models.md"
TF32_BITS = 10


def stated(network: str, precision: str) -> float:
    """The relative error in docs/models.md, as a share."""
    found = re.search(rf"^\| {network} \|(.*)\|$", PAGE.read_text(), flags=re.MULTILINE)
    assert found
    bfloat16, tf32 = (float(cell.strip().removesuffix(" %")) / 100 for cell in found[1].split("|"))
    return bfloat16 if precision == "bfloat16" else tf32


def rounded(x: Tensor) -> Tensor:
    """float32 with the mantissa of TensorFloat-32, to nearest."""
    drop = 23 - TF32_BITS
    return ((x.contiguous().view(torch.int32) + (1 << (drop - 1))) >> drop << drop).view(torch.float32)


class TensorFloat32(TorchFunctionMode):
    """Rounds both factors of each product."""

    FACTORS: ClassVar = {F.conv2d: 2, F.conv3d: 2, F.linear: 2, F.scaled_dot_product_attention: 3}

    def __torch_function__(self, function, types, args=(), kwargs=None):
        factors = self.FACTORS.get(function, 0)
        return function(*(rounded(each) for each in args[:factors]), *args[factors:], **(kwargs or {}))


class Part(nn.Module):
    """The encoder or the decoder, without the coefficients that it also returns."""

    def __init__(self, whole: nn.Module) -> None:
        super().__init__()
        self.whole = whole

    def forward(self, x: Tensor) -> Tensor:
        return self.whole(x)[0]


def relative(found: Tensor, exact: Tensor) -> float:
    """Root mean square of the difference over that of the exact values."""
    return ((found.float() - exact).square().mean() / exact.square().mean()).sqrt().item()


def error(model: nn.Module, inputs: list[Tensor], precision: str) -> float:
    exact = model(*inputs)
    if precision == "TensorFloat-32":
        with TensorFloat32():
            return relative(model(*inputs), exact)
    return relative(model.bfloat16()(*(each.bfloat16() for each in inputs)), exact)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["bfloat16", "TensorFloat-32"])
@torch.no_grad()
def test_the_stated_error_is_an_upper_bound_and_near(precision: str) -> None:
    torch.manual_seed(0)
    vae, denoiser = WFVAE(WFVAEConfig()).eval(), SkiparseDenoiser(DenoiserConfig(layers=4)).eval()
    video, latent = torch.rand(1, 3, 5, 32, 32) * 2 - 1, torch.randn(1, 8, 3, 16, 16)
    timestep, text = torch.tensor([500.0]), torch.randn(1, 16, denoiser.config.text_width)
    found = {
        "WF-VAE, encoding": error(Part(vae.encoder), [video], precision),
        "WF-VAE, decoding": error(Part(vae.decoder), [latent[..., :2, :4, :4]], precision),
        "denoiser, 4 layers": error(denoiser, [latent, timestep, text], precision),
    }
    for network, share in found.items():
        bound = stated(network, precision)
        assert bound / 3 < share < bound, f"{network}: {share:.3%}"
