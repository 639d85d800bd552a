"""From requests to frames: what a model draws at once, and chunk by chunk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.geometry import latent_frames
from ops.generation.computed import Computed
from ops.generation.given_pixels import GivenPixels, read_given
from ops.sampling.chunks import Chunk, chunks_of
from ops.sampling.denoise import Texts, draw_latents
from ops.sampling.request import Request

if TYPE_CHECKING:
    import torch

    from models.dit.sequence import SequenceGroup
    from ops.generation.model import VideoModel

OnStep = Callable[[int, int], None]
"""Hears of (done, total) denoising steps."""
Frames = NDArray[np.uint8]


def latents_of(
    model: VideoModel,
    requests: Sequence[Request],
    texts: Sequence[Texts],
    given: Sequence[GivenPixels | None],
    computed: Computed,
    on_step: OnStep,
    ranks: SequenceGroup | None = None,
    hold: bool = False,
) -> torch.Tensor:
    """[B, C, t, h, w] of requests that can be made together; frames that are given have been read. With `hold` the
    given ones are the first of whole latent frames, as many of each, and come out as they are."""
    import torch

    told = [model.conditions(each) for each in given if each]
    together = {name: torch.cat([each[name] for each in told]) for name in told[0]} if told else None
    held = None
    if hold and together and given[0]:  # the VAE is causal: hidden frames behind them change nothing of their latents
        held = together["condition_latent"][:, :, : latent_frames(int((given[0].mask == 0).sum()))]
    return draw_latents(
        ranks.calling(model.denoiser) if ranks else model.denoiser,
        requests,
        model.scale.channels,
        model.diffusion,
        texts,
        model.device,
        on_step,
        together,
        computed.guidance_passes,
        computed.text_tokens,
        held,
    )


def chunks_drawn(
    model: VideoModel,
    request: Request,
    texts: Texts,
    given: GivenPixels | None,
    computed: Computed,
    on_step: OnStep,
    ranks: SequenceGroup | None = None,
) -> Iterator[Frames]:
    """The frames [T, H, W, 3] of a video's chunks as they are made, without those that the chunk before has given.

    No more is kept than a chunk and the one before. What the one before gives is held while a chunk is made, so that
    the model goes on from that and not from its own picture of it. Of a video that is made at once there is one chunk.
    What `computed` says of a batch is done with copies of the request.
    """
    chunks = chunks_of(request)
    steps = request.steps * len(chunks)
    before: Frames | None = None
    for number, chunk in enumerate(chunks):
        if before is not None:
            given = _continued(chunk, before)
        copies = computed.batch
        latent = latents_of(
            model,
            [chunk.request] * copies,
            [texts] * copies,
            [given] * copies,
            computed,
            _counted_on(on_step, request.steps * number, steps),
            ranks,
            hold=number > 0,
        )
        frames: Frames = model.decode(latent[computed.place : computed.place + 1])
        yield frames[chunk.given :]
        before = frames


def _counted_on(on_step: OnStep, done: int, total: int) -> OnStep:
    return lambda step, _: on_step(done + step, total)


def frames_given(model: VideoModel, request: Request) -> GivenPixels | None:
    """Of a checked request's first chunk; nothing for a model that knows of none.

    Raises:
        SamplingError: a file cannot be read.
    """
    return read_given(chunks_of(request)[0].request) if model.takes_given_frames else None


def _continued(chunk: Chunk, before: Frames) -> GivenPixels:
    request = chunk.request
    pixels = np.zeros((request.frames, request.height, request.width, 3), np.uint8)
    mask = np.ones(request.frames, np.float32)
    pixels[: chunk.given], mask[: chunk.given] = before[-chunk.given :], 0
    return GivenPixels(pixels, mask)
