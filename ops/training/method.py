"""What differs between trainings: the model, its data, its loss and how it is judged. The loop is the same."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from torch import Tensor, nn

from ops.training.data_order import DataOrder


@dataclass(frozen=True)
class Draw:
    """Which part of which step's global batch a micro-batch is; random numbers are keyed by it."""

    seed: int
    step: int
    first_position: int
    batch_size: int
    """Of the global batch."""
    alone: bool = False
    """One sample is looked at by itself, on this rank only: nothing that samples or ranks have in common enters."""


class Watch(NamedTuple):
    """What a validation has to know beside the model: which samples it does without, and whom to tell how far it is."""

    left_out: Collection[str]
    progress: Callable[[int, int], None]
    """Called with the batches that are done, and of how many."""


class Method(Protocol):
    """A training as the loop sees it. `model` is the bare module; during steps the loop passes it wrapped."""

    model: nn.Module
    order: DataOrder
    metric: str
    higher_is_better: bool
    samples: int
    """How many samples it looks at, those of a validation included."""

    def notes(self) -> list[str]:
        """What a person should know before this training starts."""
        ...

    def read(self, sample_ids: Sequence[str]) -> Any:
        """A batch on the CPU. Called from a background thread.

        Raises:
            UnusableSamples: when what is stored of some cannot be trained on.
        """
        ...

    def source(self, sample_id: str) -> str:
        """The file that a sample is of, for a person."""
        ...

    def loss(self, model: nn.Module, batch: Any, draw: Draw) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of a micro-batch, a mean over its samples, and figures to log."""
        ...

    def discard(self) -> None:
        """Forget what `loss` has kept for `after_step`: no step was made, and the next one is a new trial of it."""
        ...

    def after_step(self, step: int) -> dict[str, Tensor]:
        """Whatever follows the optimizer's step, such as the critic's own; gives figures to log."""
        ...

    def validate(self, model: nn.Module, step: int, watch: Watch) -> dict[str, float]:
        """Held-out figures of a model, `metric` among them; the same on every rank.

        Raises:
            UnusableSamples: on every rank, when some have to be left out first.
            LossNotFinite: when no sample has finite figures.
        """
        ...

    def picture(self, model: nn.Module, path: Path, working: Callable[[], None]) -> bool:
        """Draw what a person would want to look at, and say whether there was anything. First rank only.

        `working` is called now and then, for long silence is taken for death.
        """
        ...

    def save(self, folder: Path) -> None:
        """Write state of its own into a checkpoint. First rank only."""
        ...

    def restore(self, folder: Path) -> None:
        """Read it back, on every rank."""
        ...
