"""Training of the video VAE on pixels. Run by the launcher: `python -m ops.training.wfvae --job JOB.json`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from models.pixels import to_pixels, to_video
from models.wfvae.config import WFVAEConfig
from models.wfvae.vae import WFVAE
from ops.config import VaeModel
from ops.data.pixels import PixelReader, UnreadableSource
from ops.data.samples import Sample, training_samples
from ops.metrics.lpips import load_lpips
from ops.training import vae_losses
from ops.training.collective import anywhere, gathered
from ops.training.critic import Critic
from ops.training.data_order import DataOrder
from ops.training.improvement import Improvement
from ops.training.job import Job
from ops.training.left_out import UnusableSamples, require_finite
from ops.training.method import Draw, Watch
from ops.training.randomness import normal
from ops.training.samples import (
    by_bucket,
    drawn,
    require_held_out,
    same_size_batches,
    spread_samples,
    what_is_looked_at,
)
from ops.training.views import views

if TYPE_CHECKING:
    from ops.training.ranks import Ranks

PICTURE_SAMPLES = 4
PICTURE_FRAMES = 4


def build_model(model: VaeModel, seed: int) -> WFVAE:
    """A freshly initialised VAE, the same for the same seed."""
    torch.manual_seed(seed)
    return WFVAE(WFVAEConfig(**model.model_dump()))


@dataclass(frozen=True)
class Clips:
    """`pixels` is uint8 [B, T, H, W, 3]."""

    sample_ids: tuple[str, ...]
    pixels: Tensor


class WfvaeMethod:
    """L1 (and squared error) + LPIPS + KL + wavelet loss, and from `discriminator_start` the adversarial one."""

    metric = "psnr"
    higher_is_better = True

    def __init__(self, job: Job, device: torch.device, dtype: torch.dtype, ranks: Ranks) -> None:
        settings = job.settings
        self._losses, self._views, self._seed = settings.vae.losses, settings.vae.views, settings.seed
        self._device, self._dtype, self._ranks = device, dtype, ranks
        train = training_samples(job.project, "train", version=job.dataset_version)
        self._held_out = training_samples(job.project, "held_out", version=job.dataset_version)
        require_held_out(self._held_out, ("video", "image"))
        self._looked_at = drawn(self._held_out, job.schedule.validate_samples, settings.seed)
        self.samples = len(train) + len(self._looked_at)
        self._rows = {row["sample_id"]: row for row in [*train, *self._held_out]}
        items = {row["sample_id"]: row["item_id"] for row in self._held_out}
        self._improvement = Improvement(items, self.higher_is_better)
        self.order = DataOrder(by_bucket(train), job.schedule.batch_size, settings.seed, job.dataset_version)
        self._rows |= {row["sample_id"]: _enlarged(row, self._views.zoom) for row in train}
        self._reader = PixelReader(job.project, list(self._rows.values()))
        self._batch_size = max(1, job.schedule.batch_size // ranks.world_size)
        self.model = build_model(settings.vae.model, settings.seed)
        self._lpips: nn.Module | None = None
        if self._losses.lpips_weight:
            self._lpips = load_lpips(job.project, self._losses.lpips_net).to(device)
        self._critic: Critic | None = None
        if self._losses.discriminator_start < job.schedule.steps:
            optimizer = job.schedule.optimizer
            self._critic = Critic(self._losses, optimizer.learning_rate, optimizer.weight_decay, device)

    def notes(self) -> list[str]:
        start = self._losses.discriminator_start
        return [
            f"the adversarial loss begins at step {start}" if self._critic else "no adversarial loss",
            *what_is_looked_at(self._looked_at, self._held_out),
        ]

    def read(self, sample_ids: Sequence[str]) -> Clips:
        pixels: list[Tensor] = []
        unusable: dict[str, str] = {}
        for sample_id in sample_ids:
            try:
                pixels.append(torch.from_numpy(self._reader.read(self._rows[sample_id])))
            except UnreadableSource as error:
                unusable[sample_id] = str(error)
        if unusable:
            raise UnusableSamples(unusable)
        return Clips(tuple(sample_ids), torch.stack(pixels))

    def source(self, sample_id: str) -> str:
        return self._rows[sample_id]["path"]

    def loss(self, model: nn.Module, batch: Clips, draw: Draw) -> tuple[Tensor, dict[str, Tensor]]:
        video = self._video(views(batch.pixels, self._views, draw))
        vae: WFVAE = getattr(model, "module", model)  # type: ignore[arg-type]
        posterior, encoded = vae.encode(video.to(self._dtype), return_coefficients=True)
        latent = posterior.mean + (0.5 * posterior.log_variance).exp() * self._noise(posterior.mean, draw)
        output, decoded = vae.decode(latent, return_coefficients=True)
        output = output.float()
        l1 = vae_losses.reconstruction(video, output)
        kl = posterior.kl().float().mean()
        wavelet = vae_losses.wavelet([w.float() for w in encoded], [w.float() for w in decoded])
        weights = self._losses
        pixels = video[0, :, 0].numel()  # of a frame, with colours
        figures = {"l1": l1 / pixels, "kl": kl, "wavelet": wavelet}
        fidelity = l1
        if weights.squared_weight:
            squared = vae_losses.squared(video, output)
            fidelity, figures = fidelity + weights.squared_weight * squared, figures | {"squared": squared / pixels}
        if self._lpips is not None:
            lpips, perceptual = vae_losses.perceptual(self._lpips, video, output)
            fidelity, figures = fidelity + weights.lpips_weight * perceptual, figures | {"lpips": lpips}
        total = fidelity + weights.kl_weight * kl + weights.wavelet_weight * wavelet
        if self._critic and draw.step >= weights.discriminator_start and not draw.alone:
            last_layer = vae.decoder.conv_out.weight
            adversarial, weight = self._critic.generator_loss(video, output, fidelity, last_layer)
            total = total + adversarial
            figures |= {"adversarial": adversarial / pixels, "adversarial_weight": weight}
        # Adam does not see the scale of a loss, but clipping does: a mean over pixels is of order 1 at any size.
        return total / pixels, figures

    def _noise(self, like: Tensor, draw: Draw) -> Tensor:
        shape = like.shape[1:]
        keys = range(draw.first_position, draw.first_position + like.shape[0])
        noise = [normal(shape, draw.seed, "posterior", draw.step, position) for position in keys]
        return torch.stack(noise).to(like)

    def _video(self, pixels: Tensor) -> Tensor:
        """uint8 [B, T, H, W, 3] → [B, 3, T, H, W] in [-1, 1], float32, on the device."""
        return to_video(pixels.to(self._device))

    def after_step(self, step: int) -> dict[str, Tensor]:
        if not self._critic or step < self._losses.discriminator_start:
            return {}
        return {"critic": self._critic.learn()}

    def discard(self) -> None:
        if self._critic:
            self._critic.discard()

    @torch.no_grad()
    def validate(self, model: nn.Module, step: int, watch: Watch) -> dict[str, float]:
        """The mean PSNR of held-out samples, reconstructed from the posterior's mode: of frames, then samples."""
        self._looked_at = [row for row in self._looked_at if row["sample_id"] not in watch.left_out]  # pictures, too
        mine = same_size_batches(self._looked_at, self._batch_size)[self._ranks.rank :: self._ranks.world_size]
        found: list[tuple[str, float]] = []
        unusable: dict[str, str] = {}
        for number, batch in enumerate(mine):
            watch.progress(number, len(mine))
            try:
                clips = self.read([row["sample_id"] for row in batch])
            except UnusableSamples as error:
                unusable.update(error.reasons)
                continue
            values = self._psnr(clips, self._reconstruct(model, clips))
            found += zip(clips.sample_ids, values, strict=True)
        values_by_id = dict(gathered(found))
        # PSNR is measured on bytes and may be infinite: only what cannot be read is unusable here.
        require_finite({}, anywhere(unusable, self._device), "PSNR")
        kinds: dict[str, list[float]] = {}
        for sample_id in sorted(values_by_id):
            kinds.setdefault(self._rows[sample_id]["kind"], []).append(values_by_id[sample_id])
        everything = [value for values in kinds.values() for value in values]
        figures = {"psnr": sum(everything) / len(everything), **self._improvement.figures(values_by_id)}
        return figures | {f"psnr.{kind}": sum(values) / len(values) for kind, values in sorted(kinds.items())}

    def _reconstruct(self, model: nn.Module, clips: Clips) -> Tensor:
        """uint8, like `clips.pixels`."""
        vae: WFVAE = model  # type: ignore[assignment]
        return to_pixels(vae.decode(vae.encode(self._video(clips.pixels)).mode())).cpu()

    @staticmethod
    def _psnr(clips: Clips, output: Tensor) -> list[float]:
        from ops.metrics.psnr import frame_psnr

        pairs = zip(clips.pixels.numpy(), output.numpy(), strict=True)
        return [float(frame_psnr(original, other).mean()) for original, other in pairs]

    @torch.no_grad()
    def picture(self, model: nn.Module, path: Path, working: Callable[[], None]) -> bool:
        """Held-out frames above their reconstructions, one pair of rows a sample."""
        from ops.runtime.frame_grid import SHORTEST_SIDE, Tile, legible, save, spread

        rows = []
        for row in spread_samples(self._looked_at, PICTURE_SAMPLES):
            clips = self.read([row["sample_id"]])
            output = self._reconstruct(model, clips)
            for frames in (clips.pixels[0].numpy(), output[0].numpy()):
                rows.append([Tile(legible(frame, SHORTEST_SIDE)) for frame in spread(frames, PICTURE_FRAMES)])
            working()
        save(rows, path)
        return True

    def save(self, folder: Path) -> None:
        self._improvement.save(folder)
        if self._critic:
            self._critic.save(folder)

    def restore(self, folder: Path) -> None:
        self._improvement.restore(folder)
        if self._critic:
            self._critic.restore(folder)


def _enlarged(row: Sample, zoom: int) -> Sample:
    """The same sample, to be read at several times its bucket's size."""
    return {**row, "height": zoom * row["height"], "width": zoom * row["width"]}


if __name__ == "__main__":
    from ops.training.program import main

    main(WfvaeMethod)
