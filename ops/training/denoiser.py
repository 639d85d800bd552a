"""Training of a denoiser stage on cached latents. Run by the launcher: `python -m ops.training.denoiser --job …`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from models import released
from models.dit.config import DenoiserConfig
from models.dit.denoiser import SkiparseDenoiser
from ops.config import Settings
from ops.data.captioning.phrases import wordings
from ops.data.latents import LatentSet, LatentsResults
from ops.data.samples import training_samples
from ops.data.text_embeddings import UNCONDITIONAL, TextResults, TextSet
from ops.runtime.artifacts import Artifact, R, find
from ops.training import diffusion
from ops.training.collective import anywhere, gathered
from ops.training.data_order import DataOrder
from ops.training.held_out import HeldOutBatch, HeldOutLoss, errors_by_sample
from ops.training.held_out_samples import HeldOutSamples
from ops.training.improvement import Improvement
from ops.training.job import Job
from ops.training.left_out import UnusableSamples, require_finite
from ops.training.method import Draw, Watch
from ops.training.randomness import normal, uniform
from ops.training.samples import by_bucket, drawn, require_held_out, same_size_batches, what_is_looked_at

if TYPE_CHECKING:
    from ops.training.ranks import Ranks


def build_model(settings: Settings, latent_channels: int, seed: int) -> SkiparseDenoiser:
    """A freshly initialised denoiser, the same for the same seed."""
    torch.manual_seed(seed)
    shape = settings.denoiser.model.model_dump()
    return SkiparseDenoiser(
        DenoiserConfig(**shape, in_channels=latent_channels, text_width=settings.text_encoder.width)
    )


@dataclass(frozen=True)
class LatentBatch:
    """Posteriors [B, C, t, h, w] and captions, on the CPU."""

    sample_ids: tuple[str, ...]
    mean: Tensor
    log_variance: Tensor
    captions: tuple[str, ...]


class DenoiserMethod:
    """Prediction of v (or ε) of noised posterior draws."""

    metric = "held_out_loss"
    higher_is_better = False

    def __init__(self, job: Job, device: torch.device, dtype: torch.dtype, ranks: Ranks) -> None:
        settings, stage = job.settings, job.denoiser_stage
        self._job = job
        self._diffusion, self._seed = settings.denoiser.diffusion, settings.seed
        self._device, self._dtype, self._ranks = device, dtype, ranks
        self._latents = LatentSet(_input(job, "latents", LatentsResults))
        self._text = TextSet(_input(job, "text_embeddings", TextResults))
        train = training_samples(job.project, "train", stage.kinds, job.dataset_version)
        self._held_out = training_samples(job.project, "held_out", stage.kinds, job.dataset_version)
        require_held_out(self._held_out, stage.kinds)
        self._looked_at = drawn(self._held_out, job.schedule.validate_samples, settings.seed)
        self.samples = len(train) + len(self._looked_at)
        self._captions = {row["sample_id"]: row["caption"] for row in [*train, *self._held_out]}
        self._sources = {row["sample_id"]: row["path"] for row in [*train, *self._held_out]}
        self._wordings: dict[str, tuple[str, ...]]
        self._wordings = {row["sample_id"]: (row["caption"],) for row in self._held_out}
        self._wordings |= {row["sample_id"]: wordings(row, settings.denoiser) for row in train}
        self._samples = HeldOutSamples(job, self._held_out, self._latents, self._text)
        items = {row["sample_id"]: row["item_id"] for row in self._held_out}
        self._improvement = Improvement(items, self.higher_is_better)
        self.order = DataOrder(by_bucket(train), job.schedule.batch_size, settings.seed, job.dataset_version)
        self._batch_size = max(1, job.schedule.batch_size // ranks.world_size)
        self._schedule = diffusion.scheduler(self._diffusion)
        self._weights = diffusion.loss_weights(self._diffusion, self._schedule)
        self.model = self._start(job)
        if stage.sparse_ratio:
            self.model.sparse_ratio = stage.sparse_ratio

    def _start(self, job: Job) -> SkiparseDenoiser:
        """The best average of the stage before, or a fresh model."""
        channels = self._latents.scale.channels
        if job.init_from is None:
            return build_model(job.settings, channels, self._seed)
        model = released.from_pretrained(job.init_from.folder)
        assert isinstance(model, SkiparseDenoiser)
        model.sparse_ratio = job.settings.denoiser.model.sparse_ratio
        return model.train()

    def notes(self) -> list[str]:
        looked_at = what_is_looked_at(self._looked_at, self._held_out)
        return [*self._foreign_scale(), *looked_at, *self._lost_timesteps(), *self._samples.notes()]

    def _foreign_scale(self) -> list[str]:
        start = self._job.init_from
        if start is None or start.latents in (None, self._job.inputs["latents"]):
            return []
        return [
            f"it starts from {start.asset}, which was trained on other latents of the same VAE ({start.latents}), "
            "whose shift and scale may differ"
        ]

    def _lost_timesteps(self) -> list[str]:
        lost = diffusion.lost_timesteps(self._weights)
        if not lost:
            return []
        start = ": sampling starts there" if lost[-1] == len(self._weights) - 1 else ""
        return [
            f"min-SNR weighting (gamma {self._diffusion.min_snr_gamma}) leaves {len(lost)} of "
            f"{len(self._weights)} timesteps with a weight below 0.001, {diffusion.runs(lost)}{start}. "
            "denoiser.diffusion.min_snr_gamma: null trains all timesteps alike",
        ]

    def read(self, sample_ids: Sequence[str]) -> LatentBatch:
        posteriors = {sample_id: self._latents[sample_id] for sample_id in sample_ids}
        unusable = [name for name, tensors in posteriors.items() if not all(t.isfinite().all() for t in tensors)]
        if unusable:
            raise UnusableSamples(dict.fromkeys(unusable, "its latent is not finite"))
        means, log_variances = zip(*(posteriors[sample_id] for sample_id in sample_ids), strict=True)
        captions = tuple(self._captions[sample_id] for sample_id in sample_ids)
        return LatentBatch(tuple(sample_ids), torch.stack(means), torch.stack(log_variances), captions)

    def source(self, sample_id: str) -> str:
        return self._sources[sample_id]

    def loss(self, model: nn.Module, batch: LatentBatch, draw: Draw) -> tuple[Tensor, dict[str, Tensor]]:
        positions = range(draw.first_position, draw.first_position + len(batch.sample_ids))
        shape, seed, step = batch.mean.shape[1:], draw.seed, draw.step
        posterior = torch.stack([normal(shape, seed, "posterior", step, p) for p in positions])
        latent = self._normalised(batch.mean + (0.5 * batch.log_variance).exp() * posterior)
        noise = torch.stack([self._noise(shape, seed, step, position) for position in positions])
        timesteps = torch.tensor(
            [
                diffusion.stratified_timestep(
                    self._diffusion.train_timesteps, p, draw.batch_size, seed, "timestep", step, p
                )
                for p in positions
            ]
        )
        captions = [
            UNCONDITIONAL
            if uniform(seed, "caption", step, p) < self._diffusion.caption_dropout
            else self._worded(sample_id, uniform(seed, "wording", step, p))
            for p, sample_id in zip(positions, batch.sample_ids, strict=True)
        ]
        losses = self._losses(model, latent, noise, timesteps, captions)
        weighted = losses * self._weights[timesteps].to(losses.device)
        return weighted.mean(), {"unweighted_loss": losses.mean()}

    def _losses(
        self, model: nn.Module, latent: Tensor, noise: Tensor, timesteps: Tensor, captions: Sequence[str]
    ) -> Tensor:
        text, mask = self._embedded(captions)
        device = self._device
        return diffusion.element_losses(
            model,
            self._schedule,
            latent.to(device),
            noise.to(device),
            timesteps.to(device),
            text.to(device),
            mask.to(device),
            self._dtype,
        )

    def _noise(self, shape: torch.Size, seed: int, step: int, position: int) -> Tensor:
        """Standard normal, plus a constant for each channel when there is a noise offset."""
        noise = normal(shape, seed, "noise", step, position)
        if self._diffusion.noise_offset:
            offset = normal((shape[0], 1, 1, 1), seed, "noise offset", step, position)
            noise = noise + self._diffusion.noise_offset * offset
        return noise

    def _normalised(self, latent: Tensor) -> Tensor:
        return self._latents.scale.normalised(latent)

    def _worded(self, sample_id: str, chance: float) -> str:
        """One of the sample's wordings, by a chance in [0, 1]."""
        every = self._wordings[sample_id]
        return every[min(int(chance * len(every)), len(every) - 1)]

    def _embedded(self, captions: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Embeddings [B, L, D], padded to the longest, and their mask [B, L]."""
        embeddings = [self._text[caption].float() for caption in captions]
        mask = pad_sequence([torch.ones(len(e), dtype=torch.long) for e in embeddings], batch_first=True)
        return pad_sequence(embeddings, batch_first=True), mask

    def after_step(self, step: int) -> dict[str, Tensor]:
        return {}

    def discard(self) -> None:
        """Nothing is kept from `loss` to `after_step`."""

    def validate(self, model: nn.Module, step: int, watch: Watch) -> dict[str, float]:
        """The held-out loss on held-out samples of the stage's kinds, overall and by noise level."""
        rows = [row for row in self._looked_at if row["sample_id"] not in watch.left_out]
        batches = same_size_batches(rows, self._batch_size)[self._ranks.rank :: self._ranks.world_size]
        unusable: dict[str, str] = {}

        def readable() -> Iterator[HeldOutBatch]:
            for number, batch in enumerate(batches):
                watch.progress(number, len(batches))
                try:
                    yield self._held_out_batch([row["sample_id"] for row in batch])
                except UnusableSamples as found:
                    unusable.update(found.reasons)

        local = errors_by_sample(model, readable(), self._diffusion, self._seed)
        everyone = dict(gathered(list(local.items())))
        values = {name: [error for error, _ in pairs] for name, pairs in everyone.items()}
        require_finite(values, anywhere(unusable, self._device), "held-out loss")
        found = HeldOutLoss(everyone, self._diffusion.train_timesteps)
        return {**found.figures(), **self._improvement.figures(found.of_samples)}

    def _held_out_batch(self, sample_ids: Sequence[str]) -> HeldOutBatch:
        batch = self.read(sample_ids)
        text, mask = self._embedded(batch.captions)
        return HeldOutBatch(batch.sample_ids, self._normalised(batch.mean), text, mask)

    def picture(self, model: nn.Module, path: Path, working: Callable[[], None]) -> bool:
        """What it makes of held-out captions, a row of frames each."""
        return self._samples.draw(model, self._device, path, working)

    def save(self, folder: Path) -> None:
        self._improvement.save(folder)

    def restore(self, folder: Path) -> None:
        self._improvement.restore(folder)


def _input(job: Job, asset: str, kind: type[R]) -> Artifact[R]:
    """The version of an asset that this job was made for, whatever has become current since."""
    found = find(job.project, asset, job.inputs[asset], kind)
    if found is None:
        raise FileNotFoundError(
            f"version {job.inputs[asset]} of '{asset}' is gone; run `soraflow run --select '+{asset}'`"
        )
    return found


if __name__ == "__main__":
    from ops.training.program import main

    main(DenoiserMethod)
