"""FLOPs in closed form are those of the products that the real model makes, and of a count by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from ops.config import DenoiserModel, Lora
from ops.training.planning.cases import DenoiserCase
from ops.training.planning.flops import counter, denoiser_flops
from ops.training.planning.passes import _denoiser


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


def latte(images: int = 0, frames: int = 9) -> DenoiserCase:
    return case(layers=2, samples=2, frames=frames).model_copy(update={"architecture": "latte", "images": images})


def counted(of: DenoiserCase) -> int:
    with FakeTensorMode():
        model = _denoiser(of)
        latent, text = torch.zeros(of.samples, of.channels, *of.latent), torch.zeros(of.samples, 7, 16)
        more: dict[str, Any] = {"images": of.images} if of.images else {}
        if of.conditioned:
            more = {"condition_latent": latent, "condition_mask": torch.zeros(of.samples, 4, *of.latent)}
        if of.images:
            text = text[:, None].expand(-1, 1 + of.images, -1, -1)
        timestep = torch.zeros(of.samples, device="meta")
        with counter() as flops:
            model(latent, timestep.to("cpu"), text, **more).sum().backward()
    return flops.get_total_flops()


@pytest.mark.costly
@pytest.mark.parametrize(
    "of",
    [
        *(case(sparse_ratio=2, layers=7), case(sparse_ratio=4, samples=3), case(frames=1, layers=1)),
        *(latte(), latte(images=3), latte(frames=1)),
        case(samples=2).model_copy(update={"conditioned": True}),
    ],
    ids=["7 layers", "padded", "image", "latte", "latte with images", "latte on an image", "given frames"],
)
def test_the_formula_counts_what_the_model_computes(of: DenoiserCase, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sequences of 36 and 12 tokens, which a ratio of 4 fills up to 48."""
    for network in ("dit.denoiser", "latte.denoiser", "control.image_condition"):  # they ask for values: there are none
        monkeypatch.setattr(f"models.{network}.check_inputs", lambda *_: None)
    assert denoiser_flops(of) == counted(of)


@pytest.mark.costly
@pytest.mark.parametrize("architecture", ["skiparse", "latte"])
@pytest.mark.parametrize("targets", [("attention",), ("feed_forward",)])
def test_adapters_leave_out_the_gradients_of_what_is_frozen(
    targets: Any, architecture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within what the first block spares, behind whose first layers nothing is trained."""
    for network in ("dit.denoiser", "latte.denoiser"):
        monkeypatch.setattr(f"models.{network}.check_inputs", lambda *_: None)
    plain = case(layers=8).model_copy(update={"architecture": architecture})
    adapted = plain.model_copy(update={"lora": Lora(rank=4, targets=targets)})
    assert denoiser_flops(adapted) == pytest.approx(counted(adapted), rel=0.06)
    assert denoiser_flops(adapted) < denoiser_flops(plain)


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
