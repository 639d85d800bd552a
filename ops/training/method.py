"""What differs between trainings: the model, its data, its loss and how it is judged. The loop is the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

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


class Method(Protocol):
    """A training as the loop sees it. `model` is the bare module; during steps the loop passes it wrapped."""

    model: nn.Module
    order: DataOrder
    metric: str
    higher_is_better: bool

    def notes(self) -> list[str]:
        """What a person should know before this training starts."""
        ...

    def read(self, sample_ids: Sequence[str]) -> Any:
        """A batch on the CPU. Called from a background thread."""
        ...

    def loss(self, model: nn.Module, batch: Any, draw: Draw) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of a micro-batch, a mean over its samples, and figures to log."""
        ...

    def after_step(self, step: int) -> dict[str, Tensor]:
        """Whatever follows the optimizer's step, such as the critic's own; gives figures to log."""
        ...

    def validate(self, model: nn.Module, step: int) -> dict[str, float]:
        """Held-out figures of a model, `metric` among them; the same on every rank."""
        ...

    def picture(self, model: nn.Module, path: Path) -> bool:
        """Draw what a person would want to look at, and say whether there was anything. First rank only."""
        ...

    def save(self, folder: Path) -> None:
        """Write state of its own into a checkpoint. First rank only."""
        ...

    def restore(self, folder: Path) -> None:
        """Read it back, on every rank."""
        ...
