"""Facts of the diffusion, from diffusers' scheduler with our settings."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ops.config import Diffusion
from ops.training.loop.randomness import uniform
from ops.training.methods.method import Draw, Setup
from ops.training.objectives import diffusion
from ops.training.objectives.denoising import Denoising
from ops.training.objectives.diffusion import (
    element_losses,
    loss_weights,
    lost_timesteps,
    scheduler,
    stratified_timestep,
)

V1_3 = Diffusion()


def test_the_noise_schedule_is_the_published_one() -> None:
    alphas = scheduler(V1_3).alphas_cumprod
    published = {0: 0.9999, 100: 0.89449, 250: 0.51886, 500: 0.075246, 750: 0.0026441, 900: 1.0304e-4}
    for timestep, value in published.items():
        assert float(alphas[timestep]) == pytest.approx(value, rel=1e-4)
    assert float(alphas[999]) == 0.0
    assert float(scheduler(V1_3.model_copy(update={"zero_terminal_snr": False})).alphas_cumprod[999]) > 0


def test_min_snr_weights_are_the_published_ones() -> None:
    weights = loss_weights(V1_3, scheduler(V1_3))
    assert float(weights.mean()) == pytest.approx(0.1907, abs=1e-4)
    assert (int(weights.argmax()), float(weights.max())) == (130, pytest.approx(0.8318, abs=1e-4))
    assert float(weights[999]) == 0.0
    assert lost_timesteps(weights)[-1] == 999
    assert len(lost_timesteps(weights)) > 100


def test_without_gamma_every_timestep_counts_the_same() -> None:
    plain = V1_3.model_copy(update={"min_snr_gamma": None})
    weights = loss_weights(plain, scheduler(plain))
    assert torch.equal(weights, torch.ones(1000))
    assert lost_timesteps(weights) == []


def test_epsilon_weights_are_finite() -> None:
    epsilon = V1_3.model_copy(update={"prediction": "epsilon"})
    weights = loss_weights(epsilon, scheduler(epsilon))
    assert weights.isfinite().all()
    assert (float(weights[999]), float(weights[500])) == (1.0, 1.0)
    assert float(weights[0]) < 0.01


class Oracle(nn.Module):
    """Knows the clean latent and the noise, and predicts v."""

    def __init__(self, latent: Tensor, noise: Tensor) -> None:
        super().__init__()
        self.latent, self.noise = latent, noise

    def forward(self, noisy: Tensor, timesteps: Tensor, text: Tensor, mask: Tensor) -> Tensor:
        alphas = scheduler(V1_3).alphas_cumprod[timesteps].view(-1, 1, 1, 1, 1)
        assert torch.allclose(noisy, alphas.sqrt() * self.latent + (1 - alphas).sqrt() * self.noise, atol=1e-6)
        return alphas.sqrt() * self.noise - (1 - alphas).sqrt() * self.latent


def test_the_target_is_the_velocity() -> None:
    latent, noise = torch.randn(3, 4, 2, 4, 4), torch.randn(3, 4, 2, 4, 4)
    timesteps, text = torch.tensor([0, 500, 999]), torch.zeros(3, 1, 8)
    losses = element_losses(Oracle(latent, noise), scheduler(V1_3), latent, noise, timesteps, text, None).error
    assert losses.shape == (3,)
    assert float(losses.max()) < 1e-10
    wrong = element_losses(Oracle(latent, noise), scheduler(V1_3), latent, noise, timesteps.flip(0) * 0, text, None)
    assert float(wrong.error.max()) < 1e-10
    epsilon = scheduler(V1_3.model_copy(update={"prediction": "epsilon"}))
    assert float(element_losses(Oracle(latent, noise), epsilon, latent, noise, timesteps, text, None).error[2]) > 0.5


def test_timesteps_are_drawn_in_strata() -> None:
    for stratum in range(8):
        drawn = [stratified_timestep(1000, stratum, 8, uniform("seed", step, stratum)) for step in range(200)]
        assert 125 * stratum - 1 <= min(drawn)
        assert max(drawn) <= 125 * (stratum + 1)
        assert len(set(drawn)) > 50
    every = {stratified_timestep(1000, 0, 1, uniform(step)) for step in range(20000)}
    assert every == set(range(1000))


def drawn(seed: int, step: int, parts: int, batch_size: int = 1024) -> list[int]:
    """The timesteps of a global batch in the order of its places, by as many ranks as there are parts."""
    nothing: Any = None
    objective = Denoising(V1_3, nothing, nothing, Setup(nothing, torch.device("cpu"), torch.float32, nothing))
    size = batch_size // parts
    draws = [Draw(seed, step, part * size, batch_size) for part in range(parts)]
    return [timestep for draw in draws for timestep in objective._timesteps(size, draw).tolist()]


def test_every_batch_has_a_timestep_of_each_stratum() -> None:
    for step in (1, 2):
        ordered = sorted(drawn(7, step, parts=1))
        assert all(abs(timestep - 1000 * place / 1024) <= 1.5 for place, timestep in enumerate(ordered))


def test_places_of_the_batch_draw_other_strata_in_each_step() -> None:
    """In order, the last place of 1024 always drew t = 999, whose weight is 0, and its rank showed no rule a gradient;
    so did a third of 256 ranks."""
    weights = loss_weights(V1_3, scheduler(V1_3))
    timesteps = torch.tensor([drawn(7, step, parts=1) for step in range(1, 61)])
    assert len(set(timesteps[:, 1023].tolist())) > 50
    weight_of_ranks = weights[timesteps].unflatten(1, (256, 4)).mean(dim=2)
    largest = weight_of_ranks.argmax(dim=1)
    assert len(set(largest.tolist())) > 45, "now this rank, now that one is seen by a rule on the largest norm"
    assert weight_of_ranks.mean(dim=0).min() > 0.1
    assert weight_of_ranks.mean(dim=0).max() < 0.3


def test_what_a_place_draws_does_not_depend_on_ranks() -> None:
    assert drawn(7, 3, parts=1) == drawn(7, 3, parts=256) == drawn(7, 3, parts=8)
    assert drawn(7, 3, parts=1) != drawn(8, 3, parts=1)


def noted(settings: Diffusion) -> list[str]:
    return diffusion.on_lost_timesteps(settings, loss_weights(settings, scheduler(settings)))


def test_the_lost_terminal_steps_are_announced() -> None:
    (note,) = noted(V1_3)
    lost = lost_timesteps(loss_weights(V1_3, scheduler(V1_3)))
    assert lost == [0, *range(804, 1000)]
    assert "197 of 1000 timesteps with a weight below 0.001, 0 and 804 to 999: sampling starts there" in note
    assert "min_snr_gamma: null" in note
    assert diffusion.signal_to_noise(scheduler(V1_3))[999] == 0


def test_lost_steps_elsewhere_are_not_called_the_start_of_sampling() -> None:
    """With ε it is the nearly clean ones that weigh little."""
    (note,) = noted(V1_3.model_copy(update={"prediction": "epsilon"}))
    assert "1 of 1000 timesteps with a weight below 0.001, 0. " in note
    assert "sampling" not in note


def test_nothing_is_announced_where_nothing_is_lost() -> None:
    assert noted(V1_3.model_copy(update={"min_snr_gamma": None})) == []
