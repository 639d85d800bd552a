"""Batches of videos with images behind each of them, as Open-Sora Plan v1.1 trains on both at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from ops.training.data.latent_batch import LatentBatch, LatentData
from ops.training.data.samples import TrainingSamples


@dataclass(frozen=True)
class JoinedBatch:
    """As many images for each video: those of the first, then those of the second one. Taken for a batch, it is that of
    its videos."""

    videos: LatentBatch
    images: LatentBatch

    @property
    def sample_ids(self) -> tuple[str, ...]:
        return self.videos.sample_ids

    @property
    def images_each(self) -> int:
        return len(self.images.sample_ids) // len(self.videos.sample_ids)

    def posteriors(self) -> tuple[Tensor, Tensor]:
        return self.videos.posteriors()


class JoinedLatents:
    """Reads videos and the images behind them, named in one list, as a batch that is joined; what is of one kind is
    read as it is."""

    def __init__(self, latents: LatentData) -> None:
        self._latents = latents

    @property
    def samples(self) -> TrainingSamples:
        return self._latents.samples

    def read(self, sample_ids: Sequence[str], epoch: int = 0) -> LatentBatch:
        images = [name for name in sample_ids if self.samples.by_id[name]["frames"] == 1]
        videos = [name for name in sample_ids if self.samples.by_id[name]["frames"] > 1]
        if not images or not videos:
            return self._latents.read(sample_ids, epoch)
        return JoinedBatch(self._latents.read(videos, epoch), self._latents.read(images, epoch))

    def ahead(self, samples: int) -> int:
        return self._latents.ahead(samples)

    def close(self) -> None:
        self._latents.close()
