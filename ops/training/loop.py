"""The training loop: any method, one step after the other, with validation, checkpoints and records between them."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ops.training import engine as deepspeed_engine
from ops.training.collective import mean_over_ranks
from ops.training.incidents import LossNotFinite
from ops.training.method import Draw
from ops.training.prefetch import prefetched

if TYPE_CHECKING:
    from ops.training.session import Session

SECONDS_BETWEEN_LINES = 5.0


def run_steps(session: Session) -> None:
    """Train from the step after the session's to the schedule's last."""
    schedule, method = session.job.schedule, session.method
    if session.step == 0 and session.first is None:
        figures = method.validate(session.ema.module, 0)
        session.first = figures[method.metric]
        session.record(0, figures)
        session.draw_picture(0)
    said = 0.0
    for step, batches in prefetched(range(session.step + 1, schedule.steps + 1), session.read):
        started = time.perf_counter()
        figures = one_step(session, step, batches)
        session.ema.update(session.engine.module, step)
        session.step = step
        figures["step_seconds"] = time.perf_counter() - started
        due = step % schedule.checkpoint_every == 0 or step == schedule.steps
        if due or step % schedule.validate_every == 0:
            session.report_progress(step, "validating")
            held_out = method.validate(session.ema.module, step)
            figures.update(held_out)
            session.draw_picture(step)
        session.record(step, figures)
        session.report_progress(step, f"loss {figures['loss']:.4g}")
        if due or time.time() - said > SECONDS_BETWEEN_LINES:
            session.say(_line(step, schedule.steps, figures))
            said = time.time()
        if due:
            session.save_checkpoint(held_out)


def one_step(session: Session, step: int, batches: Iterable[object]) -> dict[str, float]:
    """Forward and backward for each micro-batch, one step of the optimizer, and its figures over all ranks.

    Raises:
        LossNotFinite: before the weights are touched when the loss is not finite, and at once when the gradient is.
    """
    engine, clipping = session.engine, session.clipping
    rate = deepspeed_engine.learning_rate(session.job.schedule.optimizer, step)
    for group in engine.optimizer.param_groups:
        group["lr"] = rate
    engine.optimizer.clip_grad = threshold = clipping.threshold
    totals: dict[str, Tensor] = {}
    parts = list(batches)
    for number, batch in enumerate(parts, start=1):
        loss, figures = session.method.loss(engine, batch, _draw(session, step, number - 1))
        for name, value in {"loss": loss, **figures}.items():
            totals[name] = totals.get(name, torch.zeros_like(value)) + value.detach() / len(parts)
        engine.backward(loss)
        if number < len(parts):
            engine.step()
    means = mean_over_ranks(totals, session.device)
    _stop_if_not_finite(session, step, "the loss is not finite", means)
    engine.step()
    norm = float(engine.get_global_grad_norm())
    means.update(grad_norm=norm, clip_threshold=threshold, learning_rate=rate)
    _stop_if_not_finite(session, step, "the gradient is not finite", means)
    if clipping.observe(norm) and clipping.spikes_in_a_row == 1:
        session.note_incident(step, "the gradient norm is a spike; it was clipped", means)
    after = session.method.after_step(step)
    return {**means, **(mean_over_ranks(after, session.device) if after else {})}


def _draw(session: Session, step: int, part: int) -> Draw:
    position = session.first_position + part * session.micro_batch
    return Draw(session.job.settings.seed, step, position, session.job.schedule.batch_size)


def _stop_if_not_finite(session: Session, step: int, reason: str, figures: dict[str, float]) -> None:
    if all(math.isfinite(value) for value in figures.values()):
        return
    path = session.note_incident(step, reason, figures)
    raise LossNotFinite(
        f"step {step}: {reason} ({figures}); the samples of the batch are in {path}. Look at them, or lower "
        "schedule.optimizer.learning_rate; the newest checkpoint is from before this step"
    )


def _line(step: int, steps: int, figures: dict[str, float]) -> str:
    shown = ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
    return f"step {step}/{steps}: {shown}"
