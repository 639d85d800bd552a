"""What differs between trainings, as objects with one job each. The loop that drives them is the same for all."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor, nn

from models.dit.sequence import ALONE, SequenceGroup
from ops.training.checkpoints.store import Files
from ops.training.data.data_share import Shares
from ops.training.data.samples import TrainingSamples
from ops.training.job import Job
from ops.training.loop.randomness import normal, permutation, seed_of, uniform

B = TypeVar("B")
"""A batch, as a training's own data, objective and validation know it; the loop hands it from one to the other."""
Read = TypeVar("Read", covariant=True)
Seen = TypeVar("Seen", contravariant=True)


@dataclass(frozen=True)
class Setup:
    """What a training is composed for.

    `dtype` is what the engine keeps weights in; `sequence` are the ranks that compute a video together, this one among
    them.
    """

    job: Job
    device: torch.device
    dtype: torch.dtype
    shares: Shares
    sequence: SequenceGroup = ALONE


@dataclass(frozen=True)
class Draw:
    """Which part of which step's global batch a micro-batch is. Random numbers are keyed by it, so that they are the
    same after a resume and for any number of ranks."""

    seed: int
    step: int
    first_position: int
    batch_size: int
    """Of the global batch."""
    alone: bool = False
    """One sample is looked at by itself, on this rank only: nothing that samples or ranks have in common enters."""

    def behind(self, each: int) -> Draw:
        """Of so many things that ride behind each sample."""
        return replace(self, seed=seed_of(self.seed, "behind"), first_position=self.first_position * each)

    def positions(self, count: int) -> range:
        """The places in the global batch of a micro-batch of so many samples."""
        return range(self.first_position, self.first_position + count)

    def normal(self, purpose: str, count: int, shape: Sequence[int]) -> Tensor:
        """Standard normal numbers for each sample, float32 [count, *shape], on the CPU."""
        drawn = [normal(shape, self.seed, purpose, self.step, position) for position in self.positions(count)]
        return torch.stack(drawn)

    def uniform(self, purpose: str, position: int) -> float:
        """One number in [0, 1) for a place of the global batch."""
        return uniform(self.seed, purpose, self.step, position)

    def stratum(self, purpose: str, position: int) -> int:
        """One of as many strata as the global batch has places, each place's another one, dealt anew in each step."""
        return permutation(self.batch_size, self.seed, purpose, self.step)[position]


class Watch(NamedTuple):
    """What a validation has to know beside the model: which samples it does without, and whom to tell how far it is."""

    left_out: Collection[str]
    progress: Callable[[int, int], None]
    """Called with the batches that are done, and of how many."""


class TrainingData(Protocol[Read]):
    """The samples of a training, and how they are read."""

    @property
    def samples(self) -> TrainingSamples: ...

    def read(self, sample_ids: Sequence[str], epoch: int = 0) -> Read:
        """A batch on the CPU, of the training split or held out. Called from background threads. Clips that are decoded
        on the way may show another window in another `epoch` of the order, counted from 0.

        Raises:
            UnusableSamples: when what is stored of some cannot be trained on.
        """
        ...

    def ahead(self, samples: int) -> int:
        """How many steps are to be read ahead, at the same time, where this rank takes so many samples of each."""
        ...

    def close(self) -> None:
        """End what reads; nothing is read afterwards."""
        ...


class Objective(Protocol[Seen]):
    """What is minimised."""

    def loss(self, model: nn.Module, batch: Seen, draw: Draw) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of a micro-batch, a mean over its samples, and figures to log. `model` is wrapped by the engine
        during steps and bare where one sample is looked at alone."""
        ...

    def notes(self) -> list[str]:
        """What a person should know of it before the training starts."""
        ...


class Kept(Protocol):
    """Whatever of a training a checkpoint has to hold beside weights and optimizer."""

    def files(self) -> Files:
        """What writes it into a checkpoint, as it is now and whatever it becomes meanwhile. First rank only."""
        ...

    def restore(self, folder: Path) -> None:
        """Read it back, on every rank."""
        ...


class Companion(Kept, Protocol):
    """What learns beside the model, in the same steps, from what the objective showed it of them; a critic does."""

    def after_step(self) -> dict[str, Tensor]:
        """Learn, now that the model has made its step; gives figures to log, on every rank alike."""
        ...

    def discard(self) -> None:
        """Forget what the objective showed: no step was made, and the next one is a new trial of it."""
        ...


class Validation(Kept, Protocol):
    """How a training is judged by held-out samples. One of its figures is the `metric`, which picks the best model."""

    @property
    def metric(self) -> str: ...

    @property
    def higher_is_better(self) -> bool: ...

    def figures(self, model: nn.Module, watch: Watch) -> dict[str, float]:
        """Held-out figures of a model, `metric` among them; the same on every rank.

        Raises:
            UnusableSamples: on every rank, when some have to be left out first.
            LossNotFinite: when no sample has finite figures.
        """
        ...


class Pictures(Protocol):
    """What a person would want to look at while a training runs. First rank only."""

    def draw(self, model: nn.Module, path: Path, left_out: Collection[str], working: Callable[[], None]) -> bool:
        """Write a picture, and say whether there was anything to draw.

        `working` is called now and then, for long silence is taken for death.
        """
        ...

    def notes(self) -> list[str]:
        """What a person should know of them before the training starts."""
        ...


@dataclass
class Method(Generic[B]):
    """A training, composed. `model` is the bare module."""

    model: nn.Module
    data: TrainingData[B]
    objective: Objective[B]
    validation: Validation
    pictures: Pictures
    companions: Sequence[Companion] = ()
    remarks: Sequence[str] = ()
    """On how it was composed, for a person."""

    def notes(self) -> list[str]:
        """What a person should know before this training starts."""
        return [*self.remarks, *self.data.samples.notes(), *self.objective.notes(), *self.pictures.notes()]

    @property
    def kept(self) -> list[Kept]:
        return [self.validation, *self.companions]
