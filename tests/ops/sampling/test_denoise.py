import dataclasses

import pytest
import torch

from models.dit.config import DenoiserConfig
from models.dit.denoiser import SkiparseDenoiser
from ops.config import Diffusion
from ops.sampling.denoise import draw_latent, latent_shape
from ops.sampling.request import Request
from ops.sampling.samplers import sampler

REQUEST = Request("a cat", seed=3, steps=5, guidance=3.0, frames=5, height=32, width=48, fps=8)
TEXT, NOTHING = torch.randn(7, 16, generator=torch.Generator().manual_seed(1)), torch.zeros(2, 16)


@pytest.fixture(scope="module")
def denoiser() -> SkiparseDenoiser:
    torch.manual_seed(0)
    config = DenoiserConfig(layers=2, heads=2, head_width=12, in_channels=4, text_width=16, sparse_ratio=1)
    return SkiparseDenoiser(config).eval()


def draw(denoiser, prompt=TEXT, **changes) -> torch.Tensor:
    return draw_latent(denoiser, dataclasses.replace(REQUEST, **changes), 4, Diffusion(), prompt, NOTHING)


@pytest.mark.parametrize("name", ["ddim", "euler_ancestral"])
def test_five_steps_are_the_same_twice_and_differ_by_seed(denoiser, name: str) -> None:
    first = draw(denoiser, sampler=name)
    assert first.shape == latent_shape(REQUEST, 4) == (1, 4, 2, 4, 6)
    assert first.isfinite().all()
    assert torch.equal(first, draw(denoiser, sampler=name))
    assert not torch.allclose(first, draw(denoiser, sampler=name, seed=4), atol=1e-3)


def test_guidance_one_leaves_the_negative_half_out(denoiser) -> None:
    sizes = []

    def counting(latent, times, text, mask):
        sizes.append((len(latent), text.shape[1], mask.sum().item()))
        return denoiser(latent, times, text, mask)

    draw(counting, guidance=1.0)
    draw(counting, guidance=2.0)
    assert sizes == [(1, 7, 7)] * 5 + [(2, 7, 9)] * 5


def test_guidance_extrapolates_from_the_negative_to_the_prompt() -> None:
    """With a model that answers with its text's mean, the prediction at guidance g is u + g·(c − u)."""
    seen = []

    def echo(latent, times, text, mask):
        means = (text * mask[..., None]).sum(1).mean(1) / mask.sum(1)
        seen.append(means)
        return means.view(-1, 1, 1, 1, 1).expand_as(latent)

    plain = draw(echo, guidance=1.0, prompt=NOTHING + 3 * 1.0)
    guided = draw(echo, guidance=3.0, prompt=NOTHING + 1.0)
    assert seen[-1].tolist() == [0.0, 1.0]
    assert torch.allclose(plain, guided, atol=1e-5)


def test_conditions_are_the_same_in_both_halves_and_never_scaled() -> None:
    """The ancestral sampler starts at noise of deviation 4096 and scales that for the model: not what is given."""
    condition, seen = torch.randn(1, 4, 2, 4, 6, generator=torch.Generator().manual_seed(2)), []

    def listening(latent, times, text, mask, condition_latent):
        seen.append(condition_latent)
        return torch.zeros_like(latent)

    request = dataclasses.replace(REQUEST, sampler="euler_ancestral")
    told = {"condition_latent": condition}
    draw_latent(listening, request, 4, Diffusion(), TEXT, NOTHING, conditions=told)
    assert len(seen) == REQUEST.steps
    assert all(torch.equal(each, torch.cat([condition, condition])) for each in seen)


def test_sampling_a_known_clean_latent_recovers_it() -> None:
    """A perfect v-model of one point leads every sampler to that point, from pure noise."""
    clean = torch.linspace(-1, 1, 4 * 2 * 4 * 6).view(1, 4, 2, 4, 6)
    for name in ("ddim", "euler_ancestral"):
        schedule = sampler(name, Diffusion(), 20)

        def perfect(latent, times, text, mask, schedule=schedule):
            alpha = schedule.alphas_cumprod[times[0]].clamp_min(0)
            noise = (latent - alpha.sqrt() * clean) / (1 - alpha).sqrt()
            return alpha.sqrt() * noise - (1 - alpha).sqrt() * clean

        assert torch.allclose(draw(perfect, sampler=name, steps=20, guidance=1.0), clean, atol=2e-2)


@pytest.mark.parametrize("name", ["ddim", "euler_ancestral"])
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
