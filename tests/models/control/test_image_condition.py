"""The image-condition controller starts as the denoiser that it was made from."""

import pytest
import torch

from models.control import ImageConditionedDenoiser
from models.dit import DenoiserConfig, SkiparseDenoiser

CONFIG = DenoiserConfig(layers=5, heads=2, head_width=12, in_channels=4, text_width=16, sparse_ratio=2)


@pytest.fixture
def inputs() -> tuple[torch.Tensor, ...]:
    return torch.randn(2, 4, 2, 4, 6), torch.tensor([7, 900]), torch.randn(2, 3, 16)


def conditions() -> dict[str, torch.Tensor]:
    return {"condition_latent": torch.randn(2, 4, 2, 4, 6), "condition_mask": torch.ones(2, 4, 2, 4, 6)}


@torch.no_grad()
def test_untrained_condition_changes_nothing(inputs):
    base, controller = SkiparseDenoiser(CONFIG), ImageConditionedDenoiser(CONFIG)
    controller.start_from(base)
    torch.testing.assert_close(controller(*inputs, **conditions()), base(*inputs))
    assert torch.equal(controller.condition_embed.patch_embed.weight, base.patch_embed.weight)


@torch.no_grad()
def test_trained_condition_matters(inputs):
    controller = ImageConditionedDenoiser(CONFIG)
    torch.nn.init.normal_(controller.condition_embed.inject.weight)
    first, second = (controller(*inputs, **conditions()) for _ in range(2))
    assert not torch.allclose(first, second, atol=1e-3)


def test_only_a_base_of_the_same_shape():
    other = DenoiserConfig(layers=6, heads=2, head_width=12, in_channels=4, text_width=16)
    with pytest.raises(ValueError, match=r"another architecture.*blocks\.5"):
        ImageConditionedDenoiser(CONFIG).start_from(SkiparseDenoiser(other))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"condition_latent": torch.zeros(2, 8, 2, 4, 6)}, r"condition_latent has shape .* like latent"),
        ({"condition_mask": torch.ones(2, 1, 2, 4, 6)}, r"condition_mask has shape .* must be \[2, 4, 2, 4, 6\]"),
    ],
)
def test_condition_refused(inputs, change, message):
    with pytest.raises(ValueError, match=message):
        ImageConditionedDenoiser(CONFIG)(*inputs, **(conditions() | change))
