from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ops.config import Diffusion
from ops.training.objectives.diffusion import loss_weights, scheduler
from ops.training.validation.held_out_loss import ErrorsByNoise, HeldOutBatch, HeldOutLoss

SETTINGS = Diffusion(min_snr_gamma=None)


class Zero(nn.Module):
    """Predicts nothing; notes the timesteps that it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.asked: list[int] = []

    def forward(self, noisy: Tensor, timesteps: Tensor, text: Tensor, mask: Tensor) -> Tensor:
        self.asked += timesteps.tolist()
        return noisy * self.weight


def held_out_loss(model: nn.Module, batches: list[HeldOutBatch], settings: Diffusion, seed: int) -> HeldOutLoss:
    errors = ErrorsByNoise(settings, seed)
    found = {name: each for one in batches for name, each in zip(one.sample_ids, errors.of(model, one), strict=True)}
    return HeldOutLoss(found, settings.train_timesteps)


def batch(*names: str) -> HeldOutBatch:
    latents = torch.stack([torch.full((2, 1, 4, 4), 0.1 * ord(name)) for name in names])
    return HeldOutBatch(names, latents, torch.zeros(len(names), 1, 3), torch.ones(len(names), 1))


def test_it_is_the_same_every_time_and_however_batched() -> None:
    torch.manual_seed(1)
    whole = held_out_loss(Zero(), [batch("a", "b", "c")], SETTINGS, 7)
    torch.manual_seed(2)
    parts = held_out_loss(Zero(), [batch("c"), batch("b", "a")], SETTINGS, 7)
    for name in ("a", "b", "c"):
        assert np.allclose(whole.by_sample[name], parts.by_sample[name])
    assert whole.figures() == pytest.approx(parts.figures())
    assert held_out_loss(Zero(), [batch("a", "b", "c")], SETTINGS, 8).mean != whole.mean


def test_every_sample_is_seen_in_every_quarter_of_the_timesteps() -> None:
    model = Zero()
    held_out_loss(model, [batch("a", "b")], SETTINGS, 7)
    assert sorted(t // 250 for t in model.asked) == [0, 0, 1, 1, 2, 2, 3, 3]


def test_figures_name_the_noise_levels_and_average_to_the_error() -> None:
    figures = held_out_loss(Zero(), [batch("a", "b")], SETTINGS, 7).figures()
    parts = list(figures.values())[2:]
    assert list(figures)[2:] == [f"held_out_error.t{span}" for span in ("0-249", "250-499", "500-749", "750-999")]
    assert figures["held_out_error"] == pytest.approx(sum(parts) / 4)
    assert figures["held_out_loss"] == pytest.approx(figures["held_out_error"]), "all weights are 1 here"


def test_the_loss_is_weighted_as_in_training_and_the_error_is_not() -> None:
    diffusion = Diffusion(min_snr_gamma=5.0)
    plain, weighted = (held_out_loss(Zero(), [batch("a")], settings, 7) for settings in (SETTINGS, diffusion))
    assert weighted.parts == plain.parts
    weights = loss_weights(diffusion, scheduler(diffusion))
    model = Zero()
    held_out_loss(model, [batch("a")], diffusion, 7)
    chosen = weights[model.asked].double()
    expected = (chosen * torch.tensor(plain.parts).double()).sum() / chosen.sum()
    assert weighted.mean == pytest.approx(float(expected))


def test_nothing_to_measure_on_is_an_error() -> None:
    with pytest.raises(ValueError, match="held_out_share"):
        held_out_loss(Zero(), [], SETTINGS, 7)
