"""Batches of clips, read from their files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import torch
from torch import Tensor

from ops.config import Launch
from ops.data.columns import Sample
from ops.data.pixel_workers import decoding
from ops.data.pixels import Pixels
from ops.runtime.project import Project
from ops.training.data.left_out import UnusableSamples
from ops.training.data.prefetch import AHEAD
from ops.training.data.samples import TrainingSamples


@dataclass(frozen=True)
class Clips:
    """`pixels` is uint8 [B, T, H, W, 3], on the CPU."""

    sample_ids: tuple[str, ...]
    pixels: Tensor


class FilmedClips:
    """Clips of the training split come at `zoom` times their bucket's size, so that views can be cut out of them."""

    def __init__(self, project: Project, samples: TrainingSamples, launch: Launch, zoom: int = 1) -> None:
        self.samples, self._zoom = samples, zoom
        self._decoding = decoding(project, launch, self._of_one_source)
        self._spared: dict[str, Pixels] = {}
        """What was decoded beside samples that could not be, last time: the batch is asked for again without these."""
        self._spared_in = 0
        """The epoch of that batch, in which they had these windows."""

    def read(self, sample_ids: Sequence[str], epoch: int = 0) -> Clips:
        spared = self._spared if epoch == self._spared_in else {}
        wanted = [name for name in dict.fromkeys(sample_ids) if name not in spared]
        decoded = self._decoding.read([self._sized(self.samples.shown(name, epoch)) for name in wanted])
        found = {**spared, **dict(zip(wanted, decoded, strict=True))}
        pixels = {name: found[name] for name in sample_ids}
        if unusable := {name: each for name, each in pixels.items() if isinstance(each, str)}:
            self._spared = {name: each for name, each in pixels.items() if not isinstance(each, str)}
            self._spared_in = epoch
            raise UnusableSamples(unusable)
        usable = [torch.from_numpy(each) for name in sample_ids if not isinstance(each := pixels[name], str)]
        return Clips(tuple(sample_ids), torch.stack(usable) if len(usable) > 1 else usable[0][None])

    def ahead(self, samples: int) -> int:
        """As many steps as it takes for all workers to be at work, and one more."""
        return max(AHEAD, ceil(self._decoding.workers / samples) + 1)

    def close(self) -> None:
        self._decoding.close()

    def _of_one_source(self, sample: Sample) -> list[Sample]:
        if self.samples.windows is not None:  # what the others show now is of no use in the next epoch
            return [sample]
        return [self._sized(row) for row in self.samples.by_id.beside(sample["sample_id"])]

    def _sized(self, row: Sample) -> Sample:
        zoom = self._zoom if row["split"] == "train" else 1
        return {**row, "height": zoom * row["height"], "width": zoom * row["width"]}
