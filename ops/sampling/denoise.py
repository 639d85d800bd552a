"""From noise to a latent: the sampling loop with classifier-free guidance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from models.geometry import latent_size
from ops.sampling.samplers import sampler

if TYPE_CHECKING:
    import torch

    from ops.config import Diffusion
    from ops.sampling.request import Request


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
    """A latent [1, C, t, h, w] in the denoiser's units, the same for the same request on any machine's CPU.

    `prompt` and `negative` are embeddings [L, D]. Noise comes from a CPU generator seeded by the request, so that a
    seed means the same noise on every device. `conditions` are what the denoiser is told besides the text, by name and
    [1, ...] each: the same in both halves of guidance, and never scaled as the sampler scales its input (v1.3).
    """
    import torch

    generator = torch.Generator("cpu").manual_seed(request.seed)
    scheduler = sampler(request.sampler, diffusion, request.steps)
    guided = request.guidance != 1.0
    text, mask = _batched([negative, prompt] if guided else [prompt])
    text, mask = text.to(device), mask.to(device)
    told = {name: each.to(device).expand(len(text), *each.shape[1:]) for name, each in (conditions or {}).items()}
    noise = torch.randn(latent_shape(request, channels), generator=generator)
    latent: torch.Tensor = noise.to(device) * scheduler.init_noise_sigma
    with torch.inference_mode():
        for step, timestep in enumerate(scheduler.timesteps, start=1):
            scaled = scheduler.scale_model_input(latent, timestep).expand(len(text), -1, -1, -1, -1)
            times = torch.full((len(text),), int(timestep), device=device)
            predicted = denoiser(scaled, times, text, mask, **told)[:, :channels]  # behind it may be a learned variance
            prediction = _guide(predicted.float(), request.guidance)
            latent = scheduler.step(prediction, timestep, latent, generator=generator, return_dict=False)[0]
            on_step(step, request.steps)
    return latent


def _guide(prediction: torch.Tensor, guidance: float) -> torch.Tensor:
    if len(prediction) == 1:
        return prediction
    unconditional, conditional = prediction.chunk(2)
    return unconditional + guidance * (conditional - unconditional)


def _batched(embeddings: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Embeddings of several lengths as one batch [B, L, D], padded on the right, with its mask [B, L]."""
    import torch
    from torch.nn.utils.rnn import pad_sequence

    text = pad_sequence(embeddings, batch_first=True)
    lengths = torch.tensor([len(embedding) for embedding in embeddings])
    return text, torch.arange(text.shape[1])[None] < lengths[:, None]
