"""FLOPs in closed form are those of the products that the real model makes, and of a count by hand."""

from __future__ import annotations

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from models.dit import DenoiserConfig, SkiparseDenoiser
from ops.config import DenoiserModel
from ops.training.planning.cases import DenoiserCase
from ops.training.planning.flops import counter, denoiser_flops


def case(sparse_ratio: int = 1, layers: int = 6, samples: int = 1, frames: int = 9, height: int = 48) -> DenoiserCase:
    model = DenoiserModel(layers=layers, heads=2, head_width=12, sparse_ratio=sparse_ratio)
    return DenoiserCase(
        samples=samples,
        frames=frames,
        height=height,
        width=64,
        precision="float32",
        model=model,
        channels=4,
        text_tokens=7,
        text_width=16,
    )


def counted(of: DenoiserCase) -> int:
    with FakeTensorMode():
        shape = of.model.model_dump()
        model = SkiparseDenoiser(DenoiserConfig(**shape, in_channels=of.channels, text_width=of.text_width))
        model.sparse_ratio = of.model.sparse_ratio
        latent, text = torch.zeros(of.samples, of.channels, *of.latent), torch.zeros(of.samples, 7, 16)
        timestep = torch.zeros(of.samples, device="meta")
        with counter() as flops:
            model(latent, timestep.to("cpu"), text).sum().backward()
    return flops.get_total_flops()


@pytest.mark.costly
@pytest.mark.parametrize(
    "of",
    [case(sparse_ratio=2, layers=7), case(sparse_ratio=4, samples=3), case(frames=1, layers=1)],
    ids=["7 layers", "padded", "image"],
)
def test_the_formula_counts_what_the_model_computes(of: DenoiserCase, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sequences of 36 and 12 tokens, which a ratio of 4 fills up to 48."""
    monkeypatch.setattr(
        "models.dit.denoiser.check_inputs", lambda *_: None
    )  # it asks for values, of which there are none
    assert denoiser_flops(of) == counted(of)


def test_a_count_by_hand() -> None:
    """One dense layer on one image of 12 tokens, D = 24. First layers, whose inputs need no gradient, count twice, all
    others three times."""
    first = 2 * 24 * (12 * 16 + 7 * 16 + 256)
    text, time, out = 2 * 7 * 24 * 24, 2 * 24 * 24 + 2 * 24 * 6 * 24, 2 * 12 * 24 * 16
    self_attention = 4 * 2 * 12 * 24 * 24 + 2 * 2 * 12 * 12 * 24
    cross_attention = 2 * 2 * 12 * 24 * 24 + 2 * 2 * 7 * 24 * 24 + 2 * 2 * 12 * 7 * 24
    feed_forward = 2 * 2 * 12 * 24 * 96
    once = text + time + out + self_attention + cross_attention + feed_forward
    assert denoiser_flops(case(layers=1, frames=1)) == 2 * first + 3 * once


def test_what_several_samples_take_is_a_multiple() -> None:
    assert denoiser_flops(case(samples=5)) == 5 * denoiser_flops(case())
