"""What a step of the optimizer came to, however its gradients were made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from ops.training.loop.culprits import one_if_finite
from ops.training.loop.session import Batch, Session

B = TypeVar("B")
SKIPPED = "skipped"
"""The figure of a step in which the optimizer made none."""


@dataclass(frozen=True)
class Update:
    """`figures` are of all ranks; `whole` is false where the batch of some rank had no part in it."""

    figures: dict[str, float]
    whole: bool = True


def passes(session: Session[B], step: int, batch: Batch[B], between: Callable[[], object]) -> dict[str, Tensor]:
    """Forward and backward for each micro-batch, and `between` two of them what the engine wants. Returns this rank's
    figures, means over its micro-batches; the gradient of a loss with a figure that is not finite is NaN."""
    engine, objective = session.state.engine, session.method.objective
    totals: dict[str, Tensor] = {}
    for number, positions in enumerate(batch.share.micro_batches):
        if number:
            between()
        draw = session.draw(step, positions.start, batch.share.batch_size)
        with session.pace.computing(step):
            loss, figures = objective.loss(engine, batch.parts[positions.start], draw)
        figures = {"loss": loss, **figures}
        for name, value in figures.items():
            totals[name] = totals.get(name, torch.zeros_like(value)) + value.detach() / len(batch.parts)
        engine.backward(loss * one_if_finite(figures))
    return totals
