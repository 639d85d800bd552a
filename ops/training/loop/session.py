"""A training in progress on this rank: what is trained and how, how far it is, and who hears of it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Generic, TypeVar

import torch
from torch import nn

from ops.training.checkpoints.writing import Saving
from ops.training.data.data_share import DataShare, Shares
from ops.training.data.left_out import UnusableSamples
from ops.training.data.prefetch import prefetched
from ops.training.job import Job
from ops.training.launching.ranks import Ranks
from ops.training.loop.pace import Pace
from ops.training.loop.state import State
from ops.training.methods.method import Draw, Method, Watch
from ops.training.recording.incidents import Incident, left_out_file
from ops.training.recording.recorder import Recorder

B = TypeVar("B")


@dataclass(frozen=True)
class Named:
    """The ids of a global batch, and of the images behind its samples, where some ride there."""

    sample_ids: tuple[str, ...]
    behind: tuple[str, ...] = ()

    @property
    def all(self) -> set[str]:
        return {*self.sample_ids, *self.behind}

    def at(self, positions: range) -> tuple[str, ...]:
        """Those of these places: samples, then all that is behind them."""
        each = len(self.behind) // len(self.sample_ids)
        images = self.behind[each * positions.start : each * positions.stop]
        return (*self.sample_ids[positions.start : positions.stop], *images)


@dataclass(frozen=True)
class Batch(Generic[B]):
    """This rank's micro-batches of a step, and the names of the samples of all ranks.

    `unusable` are samples of this rank that could not be read, with the reason; the batch is then not whole.
    """

    names: Named
    share: DataShare
    parts: dict[int, B]
    """By the first of their places in the global batch."""
    unusable: dict[str, str]
    seconds: float = 0.0
    """That reading took."""

    @property
    def sample_ids(self) -> tuple[str, ...]:
        """Of the samples that the batch is of, without those behind them."""
        return self.names.sample_ids

    def part(self, other: Batch[B], positions: range) -> B | None:
        """That of these places, if it was read and is of the same samples as another batch's."""
        same = self.share == other.share and self.names.at(positions) == other.names.at(positions)
        return self.parts.get(positions.start) if same else None


@dataclass
class Session(Generic[B]):
    job: Job
    ranks: Ranks
    device: torch.device
    shares: Shares
    method: Method[B]
    state: State
    recorder: Recorder = field(default_factory=Recorder)
    saving: Saving = field(default_factory=Saving)
    pace: Pace = field(init=False)

    def __post_init__(self) -> None:
        together = self.state.layout["apart"] or self.job.training.ranks_of_a_video > 1
        self.pace = Pace(self.device, alone=not together)

    def named(self, step: int, without: Iterable[str] = ()) -> Named:
        """The global batch of a step, without what is left out by now, nor these."""
        # copied at once, for threads that read ahead ask while others are left out
        left_out, samples = {*tuple(self.state.left_out.samples), *without}, self.method.data.samples
        ids = samples.order.batch(step, left_out)
        return Named(ids, samples.behind.batch(step, self.bucket(ids), left_out) if samples.behind else ())

    def share(self, sample_ids: Sequence[str]) -> DataShare:
        """This rank's of a batch, whose samples are all of one size."""
        return self.shares.of_batch(self.method.data.samples.by_id[sample_ids[0]]["frames"], len(sample_ids))

    def read(self, step: int, known: Batch[B] | None = None) -> Batch[B]:
        """`known` is what was read for the step before samples of it were left out: what stays is not read anew."""
        started, names, data = time.perf_counter(), self.named(step), self.method.data
        epoch = data.samples.order.epoch(step)
        batch: Batch[B] = Batch(names, self.share(names.sample_ids), {}, {})
        for positions in batch.share.micro_batches:
            try:
                part = known.part(batch, positions) if known else None
                batch.parts[positions.start] = part or data.read(names.at(positions), epoch)
            except UnusableSamples as found:
                batch.unusable.update(found.reasons)
        return replace(batch, seconds=time.perf_counter() - started)

    def read_ahead(self, steps: Iterable[int]) -> Iterator[tuple[int, Batch[B]]]:
        """The batches of these steps, each with its step, read while those before them are computed."""
        return prefetched(steps, self.read, self.method.data.ahead(len(self.shares.video.positions)))

    def draw(self, step: int, first_position: int, batch_size: int, alone: bool = False) -> Draw:
        """The random numbers of a micro-batch of a global batch of this size."""
        return Draw(self.job.settings.seed, step, first_position, batch_size, alone)

    def bucket(self, sample_ids: Sequence[str]) -> str:
        """That a batch is of."""
        return self.method.data.samples.bucket(sample_ids[0])

    def tell(self, incident: Incident) -> None:
        """Have it recorded, with what is known of the samples."""
        samples = self.method.data.samples
        epoch, blamed = samples.order.epoch(incident.step), [each.sample_ids for each in incident.suspects]
        self.recorder.incident(incident, {name: samples.shown(name, epoch) for name in chain.from_iterable(blamed)})

    def leave_out(self, step: int, reasons: Mapping[str, str]) -> None:
        """Go on without these samples: note it, and say so. Every rank calls this alike.

        Raises:
            LossNotFinite: when that is too many.
        """
        before, told = len(self.state.left_out.samples), sorted(reasons)
        try:
            self.state.left_out.add(step, reasons)
        finally:
            self._note_left_out(step, told, before)

    def _note_left_out(self, step: int, told: list[str], before: int) -> None:
        left_out = self.state.left_out
        entries = {
            name: {**entry, "source": self.method.data.samples.source(name)}
            for name, entry in left_out.samples.items()
            if entry["step"] == step
        }
        self.recorder.left_out(step, entries)
        for number, name in enumerate(told, start=before + 1):
            self.recorder.say(
                f"step {step}: left out sample {name} of {entries[name]['source']}: {entries[name]['reason']} "
                f"({number} of at most {left_out.allowed}); see {left_out_file(self.job.folder, step)}"
            )

    def watch(self, step: int) -> Watch:
        """For a validation after this step."""
        return Watch(
            frozenset(self.state.left_out.samples),
            lambda done, of: self.recorder.working(step, f"validating: {done} of {of} batches"),
        )

    def draw_picture(self, step: int, average: nn.Module) -> None:
        """Of the average, if there is one to be drawn and someone to keep it."""
        left_out = frozenset(self.state.left_out.samples)
        self.recorder.picture(
            step,
            lambda path: self.method.pictures.draw(
                average, path, left_out, lambda: self.recorder.working(step, "drawing pictures")
            ),
        )
