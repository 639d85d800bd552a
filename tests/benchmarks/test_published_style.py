"""The plain implementations agree with ours, with weights handed over under their released names."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

import pytest
import torch
from torch import Tensor

from models import released
from models.dit import DenoiserConfig, SkiparseDenoiser, skiparse
from models.wfvae import WFVAE, WFVAEConfig

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _benchmarks_are_importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `python -m benchmarks.…` from the root finds them."""
    monkeypatch.syspath_prepend(ROOT)
    torch.manual_seed(0)


def close(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize("frames", [1, 5, 13])
@pytest.mark.parametrize(
    "changes",
    [{}, {"encoder_blocks": 1, "decoder_blocks": 3, "flow_blocks": 2, "attention": False}],
    ids=["usual", "other counts"],
)
@pytest.mark.parametrize("mode", ["trilinear", "nearest"])
@torch.no_grad()
def test_wfvae(mode, changes, frames):
    from benchmarks.published_style import PlainWFVAE

    widths = {"base_channels": 8, "encoder_flow_channels": 8, "decoder_flow_channels": 16, "latent_channels": 4}
    config = WFVAEConfig(**widths, temporal_upsampling=mode, **changes)
    ours, plain = WFVAE(config).eval(), PlainWFVAE(config).eval()
    plain.load_state_dict(released.dump(ours))
    video = torch.rand(2, 3, frames, 16, 24) * 2 - 1
    posterior, (mean, log_variance) = ours.encode(video), plain.encode(video)
    close(mean, posterior.mean)
    close(log_variance, posterior.log_variance)
    close(plain.decode(mean), ours.decode(mean))


@pytest.mark.parametrize("padded", [False, True], ids=["whole", "padded"])
@pytest.mark.parametrize(("k", "dense_ends"), [(1, 2), (2, 2), (4, 2), (2, 0), (4, 0)])
@pytest.mark.parametrize("grid", [(2, 4, 4), (3, 6, 10)], ids=["fits", "odd"])
def test_denoiser(grid, k, dense_ends, padded):
    """Forward and backward, with lengths that k² does not divide, and with padded latents and captions."""
    from benchmarks.published_style import PlainDenoiser

    config = DenoiserConfig(layers=6, heads=2, head_width=12, in_channels=4, text_width=16, sparse_ratio=k)
    ours, plain = SkiparseDenoiser(config).eval(), PlainDenoiser(config, dense_ends).eval()
    plain.load_state_dict(released.dump(ours))
    latent, text, timestep = torch.randn(2, 4, *grid), torch.randn(2, 5, 16), torch.tensor([999, 3])
    text_mask = latent_mask = None
    if padded:
        text_mask, latent_mask = torch.ones(2, 5), torch.ones(2, *grid)
        text_mask[0, 3:] = 0
        latent_mask[1, :, :, 2:] = 0
    with patch.object(skiparse, "DENSE_ENDS", dense_ends):
        expected = ours(latent, timestep, text, text_mask, latent_mask)
    actual = plain(latent, timestep, text, text_mask, latent_mask)
    close(actual, expected)
    expected.square().mean().backward()
    actual.square().mean().backward()
    gradient = ours.patch_embed.weight.grad
    torch.testing.assert_close(
        plain.pos_embed.proj.weight.grad, gradient, rtol=0, atol=2e-5 * gradient.abs().max().item()
    )


@pytest.mark.parametrize("k", [1, 2])
def test_recomputing_changes_nothing(k):
    from benchmarks.published_style import PlainDenoiser

    config = DenoiserConfig(layers=3, heads=2, head_width=12, in_channels=4, text_width=16, sparse_ratio=k)
    model = PlainDenoiser(config, dense_ends=0)
    inputs = torch.randn(1, 4, 2, 4, 6), torch.tensor([7]), torch.randn(1, 5, 16)
    gradients = []
    for recompute in (False, True):
        model.gradient_checkpointing = recompute
        model.zero_grad()
        model(*inputs).square().mean().backward()
        gradients.append(model.pos_embed.proj.weight.grad.clone())
    torch.testing.assert_close(*gradients)
