"""Each sampler against a distribution whose best denoiser is known, and against diffusers' own where that is right."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from diffusers import DDIMScheduler

from ops.config import Diffusion, Sampler
from ops.sampling.denoise import draw_latent, latent_shape
from ops.sampling.noise_schedule import arguments, timesteps
from ops.sampling.request import Request
from ops.sampling.samplers import SAMPLERS, STOCHASTIC, sampler

REQUEST = Request("a cat", seed=3, steps=5, guidance=1.0, frames=5, height=256, width=256, fps=8)
NOTHING = torch.zeros(1, 4)
MEAN, DEVIATION = 0.7, 0.5
KINDS = [(prediction, zero) for prediction in ("v_prediction", "epsilon") for zero in (True, False)]


def diffusion_of(kind: tuple[str, bool]) -> Diffusion:
    return Diffusion(prediction=kind[0], zero_terminal_snr=kind[1])


class BestDenoiser:
    """Of numbers that are normal with MEAN and DEVIATION each: what is most likely clean below a noisy one is
    m + α s² (x − α m) / (α² s² + σ²). Its α comes from the training's own schedule, where it is 0 at the end."""

    def __init__(self, diffusion: Diffusion) -> None:
        from ops.training.objectives.diffusion import scheduler

        self.signal, self.prediction = scheduler(diffusion).alphas_cumprod.double(), diffusion.prediction

    def __call__(self, latent: torch.Tensor, times: torch.Tensor, text: object, mask: object) -> torch.Tensor:
        alpha, sigma = self.signal[times[0]].sqrt(), (1 - self.signal[times[0]]).sqrt()
        noisy = latent.double()
        spread = alpha**2 * DEVIATION**2 + sigma**2
        clean = MEAN + alpha * DEVIATION**2 / spread * (noisy - alpha * MEAN)
        noise = (noisy - alpha * clean) / sigma
        return (noise if self.prediction == "epsilon" else alpha * noise - sigma * clean).float()


def drawn(name: str, diffusion: Diffusion, steps: int) -> torch.Tensor:
    request = Request(**{**vars(REQUEST), "sampler": name, "steps": steps})
    return draw_latent(BestDenoiser(diffusion), request, 4, diffusion, NOTHING, NOTHING)


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("name", SAMPLERS)
def test_more_steps_come_to_the_distribution_that_a_model_knows(name: str, kind: tuple[str, bool]) -> None:
    diffusion = diffusion_of(kind)
    deviations = []
    for steps in (10, 30, 100, 500):  # neither 30 nor 500 leading ones end where diffusers' own do
        found = drawn(name, diffusion, steps)
        assert found.isfinite().all(), f"{steps} steps"
        assert found.mean() == pytest.approx(MEAN, abs=0.012)
        deviations.append(abs(found.std().item() - DEVIATION))
    assert deviations[0] > deviations[1] > deviations[-1]
    assert deviations[-1] < (0.015 if name in STOCHASTIC else 0.005)


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("name", [name for name in SAMPLERS if name not in STOCHASTIC])
def test_without_noise_of_its_own_a_sampler_comes_to_where_the_noise_leads(name: str, kind: tuple[str, bool]) -> None:
    """Along the flow of probability each number keeps its place in the distribution: noise z ends as m + s z."""
    noise = torch.randn(latent_shape(REQUEST, 4), generator=torch.Generator().manual_seed(REQUEST.seed))
    apart = [(drawn(name, diffusion_of(kind), steps) - MEAN - DEVIATION * noise).abs().max() for steps in (20, 200)]
    assert apart[1] < apart[0] / 5
    assert apart[1] < (0.05 if name == "ddim" else 0.01)


@pytest.mark.parametrize("steps", [61, 150, 300, 999])
def test_every_number_of_steps_is_taken_from_pure_noise_to_nothing(steps: int) -> None:
    """Of 61 trailing steps diffusers makes 62, the last of them at −1, where the noise is greatest; and between 999 and
    998 its ᾱ rises and falls, for which the ancestral sampler takes a root of less than 0."""
    for name in SAMPLERS:
        times = sampler(name, Diffusion(), steps).timesteps.tolist()
        assert len(times) == steps
        assert times[0] == 999
        assert sorted(set(times), reverse=True) == times
        assert times[-1] >= 0
        assert drawn(name, Diffusion(), steps).isfinite().all()


def test_leading_steps_begin_where_noise_is_all_but_pure() -> None:
    for steps in (7, 150, 501, 999):
        assert timesteps(Diffusion(zero_terminal_snr=False), steps)[0] >= 1000 - 1000 / steps - 1


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != ("epsilon", True)], ids=str)
def test_ddim_is_that_of_diffusers_to_the_bit_where_steps_divide_the_timesteps(kind: tuple[str, bool]) -> None:
    diffusion = diffusion_of(kind)
    ours, theirs = sampler("ddim", diffusion, 20), DDIMScheduler(**arguments(diffusion), clip_sample=False)
    theirs.set_timesteps(20)
    assert ours.timesteps.tolist() == theirs.timesteps.tolist()
    one = other = torch.randn(1, 4, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    for timestep in ours.timesteps:
        one = ours.step(one.sin(), timestep, one).prev_sample
        other = theirs.step(other.sin(), timestep, other).prev_sample
        assert torch.equal(one, other)


@pytest.mark.parametrize("name", SAMPLERS)
def test_sampling_starts_at_pure_noise(name: str) -> None:
    assert [int(t) for t in sampler(name, Diffusion(), 5).timesteps] == [999, 799, 599, 399, 199]
    leading = sampler(name, Diffusion(zero_terminal_snr=False), 100)
    assert int(leading.timesteps[0]) == 990


def test_the_ancestral_sampler_has_the_released_noise_levels() -> None:
    sigmas = sampler("euler_ancestral", Diffusion(), 100).sigmas
    assert sigmas[0] == pytest.approx(4096, rel=1e-4)
    assert sigmas[1] == pytest.approx(1478.557, rel=1e-4)
    assert sigmas[2] == pytest.approx(706.076, rel=1e-4)
    assert sigmas[-1] == 0


def test_an_unknown_sampler_is_named() -> None:
    with pytest.raises(ValueError, match="plms"):
        sampler("plms", Diffusion(), 5)


def test_the_recipe_knows_the_samplers_that_there_are() -> None:
    assert set(get_args(Sampler)) == set(SAMPLERS)
