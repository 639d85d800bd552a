"""Batches of clips, read from their files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ops.data.columns import Sample
from ops.data.pixels import PixelReader, UnreadableSource
from ops.runtime.project import Project
from ops.training.data.left_out import UnusableSamples
from ops.training.data.samples import TrainingSamples


@dataclass(frozen=True)
class Clips:
    """`pixels` is uint8 [B, T, H, W, 3], on the CPU."""

    sample_ids: tuple[str, ...]
    pixels: Tensor


class FilmedClips:
    """Clips of the training split come at `zoom` times their bucket's size, so that views can be cut out of them."""

    def __init__(self, project: Project, samples: TrainingSamples, zoom: int) -> None:
        self.samples, self._zoom = samples, zoom
        self._reader = PixelReader(project, self._of_one_source)

    def read(self, sample_ids: Sequence[str]) -> Clips:
        pixels: list[Tensor] = []
        unusable: dict[str, str] = {}
        for sample_id in sample_ids:
            try:
                pixels.append(torch.from_numpy(self._reader.read(self._sized(self.samples.by_id[sample_id]))))
            except UnreadableSource as error:
                unusable[sample_id] = str(error)
        if unusable:
            raise UnusableSamples(unusable)
        return Clips(tuple(sample_ids), torch.stack(pixels))

    def _of_one_source(self, sample: Sample) -> list[Sample]:
        return [self._sized(row) for row in self.samples.by_id.beside(sample["sample_id"])]

    def _sized(self, row: Sample) -> Sample:
        zoom = self._zoom if row["split"] == "train" else 1
        return {**row, "height": zoom * row["height"], "width": zoom * row["width"]}
