"""The training loop: any method, one step after the other, with validation, checkpoints and records between them."""

from __future__ import annotations

import math
import time
from typing import TypeVar

from torch import nn

from ops.training.checkpoints import checkpointing
from ops.training.data.left_out import UnusableSamples
from ops.training.loop.meter import Meter
from ops.training.loop.session import Batch, Session
from ops.training.loop.step import one_step
from ops.training.loop.update import SKIPPED
from ops.training.planning.plan import planned

B = TypeVar("B")
SECONDS_BETWEEN_LINES = 5.0


def run_steps(session: Session[B]) -> None:
    """Train from the step after the session's to the schedule's last, and see its checkpoint written.

    Raises:
        CheckpointNotWritten: see `checkpointing.save`.
    """
    state, recorder = session.state, session.recorder
    if state.step == 0 and state.first is None:
        figures = judged(session, 0)
        state.first = figures[session.method.validation.metric]
        recorder.figures(0, figures)
    try:
        _steps(session)
        checkpointing.require_written(session)
    except Exception:
        checkpointing.abandon(session)
        raise
    except BaseException:  # told to stop
        checkpointing.settle_before_the_end(session)
        raise


def _steps(session: Session[B]) -> None:
    schedule, state, recorder = session.job.schedule, session.state, session.recorder
    said, meter = -math.inf, Meter(session.device, planned(session.job.folder))
    for step, batch in session.read_ahead(range(state.step + 1, schedule.steps + 1)):
        meter.begin()
        figures = step_without_unusable(session, step, batch)
        if SKIPPED not in figures:  # or else the average would go on alone
            state.ema.update(state.model, step)
        state.step = step
        figures.update(meter.figures(session.bucket(batch.sample_ids), len(batch.sample_ids)))
        due = step % schedule.checkpoint_every == 0 or step == schedule.steps
        if due or step % schedule.validate_every == 0:
            held_out = judged(session, step)
            figures.update(held_out)
        recorder.figures(step, figures)
        recorder.working(step, f"loss {figures['loss']:.4g}")
        if due or time.monotonic() - said > SECONDS_BETWEEN_LINES:
            recorder.say(_line(step, schedule.steps, figures))
            said = time.monotonic()
        checkpointing.settle(session)
        if due:
            checkpointing.save(session, held_out)
        meter.ask()


def step_without_unusable(session: Session[B], step: int, batch: Batch[B]) -> dict[str, float]:
    """`one_step`, again and again with other samples in the place of those that turn out to be unusable."""
    while True:
        if batch.names != session.named(step):  # one of them was left out after this was read
            batch = session.read(step, batch)
        try:
            return one_step(session, step, batch)
        except UnusableSamples as found:
            session.leave_out(step, found.reasons)


def judged(session: Session[B], step: int) -> dict[str, float]:
    """The held-out figures of the average, which is whole on every rank meanwhile, and a picture of what it makes."""
    average = session.state.ema.joined()
    figures = validated(session, step, average)
    session.draw_picture(step, average)
    return figures


def validated(session: Session[B], step: int, average: nn.Module) -> dict[str, float]:
    """The held-out figures of the average, without the samples that turn out to be unusable."""
    while True:
        try:
            return session.method.validation.figures(average, session.watch(step))
        except UnusableSamples as found:
            session.leave_out(step, found.reasons)


def _line(step: int, steps: int, figures: dict[str, float]) -> str:
    shown = ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
    return f"step {step}/{steps}: {shown}"
