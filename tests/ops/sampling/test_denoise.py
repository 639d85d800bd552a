import dataclasses

import pytest
import torch

from models.dit.config import DenoiserConfig
from models.dit.denoiser import SkiparseDenoiser
from ops.config import Diffusion
from ops.sampling.denoise import Texts, draw_latent, draw_latents, latent_shape
from ops.sampling.request import Request
from ops.sampling.samplers import SAMPLERS, sampler
from ops.training.objectives.diffusion import scheduler

REQUEST = Request("a cat", seed=3, steps=5, guidance=3.0, frames=5, height=32, width=48, fps=8)
TEXT, NOTHING = torch.randn(7, 16, generator=torch.Generator().manual_seed(1)), torch.zeros(2, 16)


@pytest.fixture(scope="module")
def denoiser() -> SkiparseDenoiser:
    torch.manual_seed(0)
    config = DenoiserConfig(layers=2, heads=2, head_width=12, in_channels=4, text_width=16, sparse_ratio=1)
    return SkiparseDenoiser(config).eval()


def draw(denoiser, prompt=TEXT, **changes) -> torch.Tensor:
    return draw_latent(denoiser, dataclasses.replace(REQUEST, **changes), 4, Diffusion(), prompt, NOTHING)


@pytest.mark.parametrize("name", SAMPLERS)
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
    for name in SAMPLERS:
        schedule = sampler(name, Diffusion(), 20)

        def perfect(latent, times, text, mask, schedule=schedule):
            alpha = schedule.alphas_cumprod[times[0]].clamp_min(0)
            noise = (latent - alpha.sqrt() * clean) / (1 - alpha).sqrt()
            return alpha.sqrt() * noise - (1 - alpha).sqrt() * clean

        assert torch.allclose(draw(perfect, sampler=name, steps=20, guidance=1.0), clean, atol=2e-2)


def test_halves_of_guidance_one_after_the_other_are_those_of_one_batch(denoiser) -> None:
    """And take half the memory: no pass has more than the requests."""
    sizes = []

    def counting(latent, *told):
        sizes.append(len(latent))
        return denoiser(latent, *told)

    requests = [dataclasses.replace(REQUEST, seed=seed) for seed in (3, 4)]
    texts = [Texts(TEXT, NOTHING), Texts(TEXT[:4], NOTHING)]
    one, two = (draw_latents(counting, requests, 4, Diffusion(), texts, passes=passes) for passes in (1, 2))
    assert sizes == [4] * 5 + [2] * 10
    assert (one - two).abs().max() < 1e-5


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_batch_holds_what_each_request_gives_alone(denoiser, name: str) -> None:
    """To rounding: sums over other shapes are not taken in the same order. Noise is each request's own."""
    requests = [dataclasses.replace(REQUEST, seed=seed, sampler=name) for seed in (3, 4)]
    texts = [Texts(TEXT, NOTHING), Texts(TEXT[:4], NOTHING)]
    both = draw_latents(denoiser, requests, 4, Diffusion(), texts)
    alone = [draw_latent(denoiser, each, 4, Diffusion(), *text) for each, text in zip(requests, texts, strict=True)]
    assert (both - torch.cat(alone)).abs().max() < 1e-5
    assert (both[0] - both[1]).abs().max() > 0.1


def test_a_place_in_a_batch_does_not_depend_on_the_others(denoiser) -> None:
    """To the bit, where texts are padded alike: so a video of a batch can be made again without its company."""
    requests = [dataclasses.replace(REQUEST, seed=seed) for seed in (3, 4, 5)]
    texts = [Texts(TEXT, NOTHING), Texts(TEXT[:4], NOTHING), Texts(TEXT[:2], NOTHING)]
    company = draw_latents(denoiser, requests, 4, Diffusion(), texts)
    copies = draw_latents(denoiser, [requests[1]] * 3, 4, Diffusion(), [texts[1]] * 3, tokens=len(TEXT))
    assert torch.equal(company[1], copies[1])


def test_conditions_go_with_their_request() -> None:
    seen = []

    def listening(latent, times, text, mask, told):
        seen.append((latent[:, 0, 0, 0, 0], told[:, 0]))
        return torch.zeros_like(latent)

    requests = [dataclasses.replace(REQUEST, seed=seed, steps=1) for seed in (3, 4)]
    told = {"told": torch.tensor([[1.0], [2.0]])}
    draw_latents(listening, requests, 4, Diffusion(), [Texts(TEXT, NOTHING)] * 2, conditions=told)
    latents, conditions = seen[0]
    assert conditions.tolist() == [1, 2, 1, 2]
    assert latents[:2].tolist() == latents[2:].tolist()


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("zero", [True, False])
def test_frames_that_are_held_are_shown_at_each_steps_noise_and_come_out_as_they_are(name: str, zero: bool) -> None:
    """√ᾱ z + √(1 − ᾱ) ε by the training's schedule, whatever the model makes of them and in whatever scale a sampler
    keeps its latents."""
    held, seen = torch.randn(1, 4, 1, 4, 6, generator=torch.Generator().manual_seed(2)), []

    def listening(latent, times, text, mask):
        seen.append((int(times[0]), latent))
        return torch.ones_like(latent)

    diffusion = Diffusion(zero_terminal_snr=zero)
    request = dataclasses.replace(REQUEST, sampler=name, guidance=1.0)
    found = draw_latents(listening, [request], 4, diffusion, [Texts(TEXT, NOTHING)], held=held)
    assert torch.equal(found[:, :, :1], held)
    noise = torch.randn(latent_shape(request, 4), generator=torch.Generator().manual_seed(request.seed))[:, :, :1]
    signals = scheduler(diffusion).alphas_cumprod
    assert len(seen) == REQUEST.steps
    for time, latent in seen:
        wanted = signals[time].sqrt() * held + (1 - signals[time]).sqrt() * noise
        torch.testing.assert_close(latent[:, :, :1], wanted, atol=1e-3, rtol=0)


def test_requests_of_different_sizes_are_not_made_together(denoiser) -> None:
    requests = [REQUEST, dataclasses.replace(REQUEST, steps=6)]
    with pytest.raises(ValueError, match="may differ in prompts, seeds and given frames alone"):
        draw_latents(denoiser, requests, 4, Diffusion(), [Texts(TEXT, NOTHING)] * 2)
