"""From noise to latents: the sampling loop with classifier-free guidance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from models.geometry import latent_size
from ops.sampling.guidance import batched, guided
from ops.sampling.noise_schedule import is_pure_noise
from ops.sampling.samplers import STOCHASTIC, noised, sampler

if TYPE_CHECKING:
    import torch

    from ops.config import Diffusion
    from ops.sampling.request import Request


class Texts(NamedTuple):
    """What the denoiser reads for one request: embeddings [L, D]."""

    prompt: torch.Tensor
    negative: torch.Tensor


def latent_shape(request: Request, channels: int) -> tuple[int, int, int, int, int]:
    """[1, C, t, h, w] of the request's video."""
    return (1, channels, *latent_size(request.frames, request.height, request.width))


def draw_latent(
    denoiser: Callable[..., torch.Tensor],
    request: Request,
    channels: int,
    diffusion: Diffusion,
    prompt: torch.Tensor,
    negative: torch.Tensor,
    device: torch.device | str = "cpu",
    on_step: Callable[[int, int], None] = lambda done, total: None,
    conditions: Mapping[str, torch.Tensor] | None = None,
) -> torch.Tensor:
    """The latent [1, C, t, h, w] of one request, as `draw_latents` draws it."""
    texts = [Texts(prompt, negative)]
    return draw_latents(denoiser, [request], channels, diffusion, texts, device, on_step, conditions)


def draw_latents(
    denoiser: Callable[..., torch.Tensor],
    requests: Sequence[Request],
    channels: int,
    diffusion: Diffusion,
    texts: Sequence[Texts],
    device: torch.device | str = "cpu",
    on_step: Callable[[int, int], None] = lambda done, total: None,
    conditions: Mapping[str, torch.Tensor] | None = None,
    passes: int = 1,
    tokens: int | None = None,
    held: torch.Tensor | None = None,
) -> torch.Tensor:
    """Latents [B, C, t, h, w] in the denoiser's units, each the same for the same request on any machine's CPU.

    `requests` differ in prompts, seeds and what is given alone. Noise comes from a CPU generator seeded by each
    request, so that a seed means the same noise on every device, and in every company. `conditions` are what the
    denoiser is told besides the text, by name and [B, ...] each: the same in both halves of guidance, and never scaled
    as the sampler scales its input (v1.3). The halves are one batch, or with `passes` 2 one after the other, which
    takes half the memory and gives the same but for rounding. Texts are padded to the longest, or to `tokens`. `held`
    are the first latent frames [B, C, f, h, w] where they are known: they come out as they are, and the model sees them
    at each step's noise, whatever it makes of them.

    Raises:
        ValueError: requests that cannot be made together.
    """
    import torch

    request = requests[0]
    if len({each.together for each in requests}) > 1:
        raise ValueError("requests that are made together may differ in prompts, seeds and given frames alone")
    generators = [torch.Generator("cpu").manual_seed(each.seed) for each in requests]
    scheduler = sampler(request.sampler, diffusion, request.steps)
    halves = 2 if request.guidance != 1.0 else 1
    read = [each.negative for each in texts] if halves == 2 else []
    text, mask = batched([*read, *(each.prompt for each in texts)], tokens)
    text, mask = text.to(device), mask.to(device)
    told = {name: each.to(device) for name, each in (conditions or {}).items()}
    count = len(requests)
    turns = [slice(0, halves * count)] if passes == 1 else [slice(at * count, (at + 1) * count) for at in range(halves)]

    def predicted(latent: torch.Tensor, timestep: int) -> torch.Tensor:
        """[halves · B, C, t, h, w]"""
        found = []
        for turn in turns:
            size = len(text[turn])
            times = torch.full((size,), timestep, device=device)
            again = {name: each.repeat(size // count, *[1] * (each.ndim - 1)) for name, each in told.items()}
            answer = denoiser(latent.repeat(size // count, 1, 1, 1, 1), times, text[turn], mask[turn], **again)
            found.append(answer[:, :channels].float())  # behind it may be a learned variance
        return torch.cat(found)

    shape = latent_shape(request, channels)
    noise = torch.cat([torch.randn(shape, generator=each) for each in generators]).to(device)
    latent: torch.Tensor = noise * scheduler.init_noise_sigma
    drawing = {"generator": generators} if request.sampler in STOCHASTIC else {}
    with torch.inference_mode():
        for step, timestep in enumerate(scheduler.timesteps, start=1):
            if held is not None:
                known = held.shape[2]
                latent[:, :, :known] = noised(scheduler, step - 1, held.to(latent), noise[:, :, :known])
            scaled = scheduler.scale_model_input(latent, timestep)
            if diffusion.prediction == "epsilon" and is_pure_noise(diffusion, int(timestep)):
                prediction = scaled  # noise and nothing else; of another answer the error would be divided by almost 0
            elif halves == 2:
                negative, prompt = predicted(scaled, int(timestep)).chunk(2)
                prediction = guided(negative, prompt, request.guidance, request.guidance_rescale)
            else:
                prediction = predicted(scaled, int(timestep))
            latent = scheduler.step(prediction, timestep, latent, **drawing).prev_sample
            on_step(step, request.steps)
        if held is not None:
            latent[:, :, : held.shape[2]] = held.to(latent)
    return latent
