"""What a denoiser makes of held-out captions while it trains: few, small, in few steps, from the same noise always."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor, nn

from models.geometry import PIXELS_PER_TOKEN
from models.latent_scale import LatentScale
from models.pixels import to_pixels
from models.video_vae import VideoVAE
from ops.config import Pictures
from ops.data.columns import Sample
from ops.data.latent_encoder import load_vae
from ops.data.text_embeddings import UNCONDITIONAL
from ops.runtime.frame_grid import SHORTEST_SIDE, Tile, legible, save, spread
from ops.sampling.denoise import draw_latent
from ops.sampling.request import Request
from ops.training.data.captions import Texts
from ops.training.data.samples import spread_samples
from ops.training.job import Job
from ops.training.methods.inputs import vae_of

FRAMES_SHOWN = 4


class HeldOutSamples:
    """Takes captions as the training does, and loads the VAE when the first picture is due."""

    def __init__(self, job: Job, rows: Sequence[Sample], scale: LatentScale, text: Texts) -> None:
        self._job, self._scale, self._text = job, scale, text
        self._settings: Pictures = job.settings.pictures
        self._vae_artifact = vae_of(job) if self._settings.prompts else None
        self._rows = spread_samples(list({row["caption"]: row for row in rows}.values()), self._settings.prompts)

    def notes(self) -> list[str]:
        """What a person should know before the training starts."""
        if not self._settings.prompts or self._vae_artifact:
            return []
        return ["no pictures are drawn, for the VAE that the latents were made with is gone"]

    def draw(self, model: nn.Module, path: Path, left_out: Collection[str], working: Callable[[], None]) -> bool:
        """A row of frames for each caption. What has not begun after `pictures.seconds` is not drawn.

        It takes captions and sizes from samples, which those that are left out have as well.
        """
        if self._vae_artifact is None:
            return False
        deadline = time.monotonic() + self._settings.seconds
        rows: list[list[Tile]] = []
        for number, row in enumerate(self._rows):
            if rows and time.monotonic() > deadline:
                break
            frames = self._decode(self._sample(model, number, row, working)).numpy()
            rows.append([Tile(legible(frame, SHORTEST_SIDE)) for frame in spread(frames, FRAMES_SHOWN)])
            working()
        if rows:
            save(rows, path)
        return bool(rows)

    def _sample(self, model: nn.Module, number: int, row: Sample, working: Callable[[], None]) -> Tensor:
        caption, unconditional = self._text.embeddings([row["caption"], UNCONDITIONAL])
        return draw_latent(
            model,
            self._request(number, row),
            self._scale.channels,
            self._job.settings.denoiser.diffusion,
            caption,
            unconditional,
            next(model.parameters()).device,
            lambda done, total: working(),
        )

    def _request(self, number: int, row: Sample) -> Request:
        """At the sample's own size, unless that is above the limit."""
        evaluation = self._job.settings.evaluation
        return Request(
            prompt=row["caption"],
            seed=self._job.settings.seed + number,
            steps=self._settings.steps,
            guidance=evaluation.guidance,
            frames=min(row["frames"], self._settings.frames),
            height=_limited(row["height"], self._settings.side),
            width=_limited(row["width"], self._settings.side),
            fps=evaluation.fps,
        )

    @torch.inference_mode()
    def _decode(self, latent: Tensor) -> Tensor:
        """[1, C, t, h, w] in the denoiser's units → uint8 [T, H, W, 3]."""
        return to_pixels(self._vae.decode(self._scale.restored(latent))[0]).cpu()

    @cached_property
    def _vae(self) -> VideoVAE:
        assert self._vae_artifact is not None
        return load_vae(self._job.project, self._vae_artifact)


def _limited(side: int, most: int) -> int:
    """A side that the denoiser's tokens divide."""
    return min(side, most) // PIXELS_PER_TOKEN * PIXELS_PER_TOKEN
