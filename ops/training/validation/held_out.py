"""Held-out samples, measured by all ranks together: what every validation does, whatever it measures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import torch
from torch import nn

from ops.data.columns import Sample
from ops.training.checkpoints.store import Files
from ops.training.data.left_out import UnusableSamples, require_finite
from ops.training.data.prefetch import prefetched
from ops.training.data.samples import same_size_batches
from ops.training.loop.collective import anywhere, gathered
from ops.training.methods.method import Setup, TrainingData, Watch
from ops.training.validation.improvement import Improvement

B = TypeVar("B")
Seen = TypeVar("Seen", contravariant=True)
Value = TypeVar("Value")


class Measure(Protocol[Seen, Value]):
    """What is measured of each held-out sample, and what the log hears of all of them together."""

    metric: str
    higher_is_better: bool
    what: str
    """It in words, for an error."""

    def values(self, model: nn.Module, batch: Seen) -> Iterable[Value]:
        """One for each sample of a batch, in its order. `model` is bare and takes no gradients."""
        ...

    def figures(self, values: Mapping[str, Value]) -> dict[str, float]:
        """Of the values of all samples: `metric`, and whatever else is worth a curve."""
        ...

    def by_sample(self, values: Mapping[str, Value]) -> Mapping[str, float]:
        """The metric of each sample, by which progress is told from chance."""
        ...

    def required(self, values: Mapping[str, Value]) -> Mapping[str, Sequence[float]]:
        """The numbers of each sample that a sound sample has finite."""
        ...


class HeldOut(Generic[B, Value]):
    """A validation of a training's held-out samples by one measure."""

    def __init__(self, measure: Measure[B, Value], data: TrainingData[B], setup: Setup) -> None:
        self._measure, self._data, self._shares, self._device = measure, data, setup.shares, setup.device
        items = {row["sample_id"]: row["item_id"] for row in data.samples.looked_at}
        self._improvement = Improvement(items, measure.higher_is_better)

    @property
    def metric(self) -> str:
        return self._measure.metric

    @property
    def higher_is_better(self) -> bool:
        return self._measure.higher_is_better

    @torch.no_grad()
    def figures(self, model: nn.Module, watch: Watch) -> dict[str, float]:
        local, unusable = self._of_this_rank(model, watch)
        values = dict(gathered(list(local.items())))
        require_finite(self._measure.required(values), anywhere(unusable, self._device), self._measure.what)
        gained = self._improvement.figures(self._measure.by_sample(values))
        return {**self._measure.figures(values), **gained}

    def _of_this_rank(self, model: nn.Module, watch: Watch) -> tuple[dict[str, Value], dict[str, str]]:
        """The values of this rank's samples, and those that cannot be read, with the reason."""
        rows = [row for row in self._data.samples.looked_at if row["sample_id"] not in watch.left_out]
        batches = [batch for images in (True, False) for batch in self._portion(rows, images)]
        values: dict[str, Value] = {}
        unusable: dict[str, str] = {}
        named = [[row["sample_id"] for row in members] for members in batches]
        ahead = self._data.ahead(len(self._shares.video.positions))
        for number, (sample_ids, batch) in enumerate(prefetched(named, self._read, ahead)):
            watch.progress(number, len(batches))
            if isinstance(batch, UnusableSamples):
                unusable.update(batch.reasons)
            else:
                values.update(zip(sample_ids, self._measure.values(model, batch), strict=True))
        return values, unusable

    def _read(self, sample_ids: Sequence[str]) -> B | UnusableSamples:
        try:
            return self._data.read(sample_ids)
        except UnusableSamples as found:
            return found

    def _portion(self, rows: Sequence[Sample], images: bool) -> Sequence[list[Sample]]:
        """This rank's batches of images, or of videos, which ranks of one sequence meet over one after the other."""
        share = self._shares.image if images else self._shares.video
        return share.portion(
            same_size_batches([row for row in rows if (row["frames"] == 1) == images], len(share.positions))
        )

    def files(self) -> Files:
        return self._improvement.files()

    def restore(self, folder: Path) -> None:
        self._improvement.restore(folder)
