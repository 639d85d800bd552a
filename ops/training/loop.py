"""The training loop: any method, one step after the other, with validation, checkpoints and records between them."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ops.training import engine as deepspeed_engine
from ops.training.collective import anywhere, gathered, mean_over_ranks
from ops.training.data_order import NoBatches
from ops.training.left_out import LossNotFinite, UnusableSamples
from ops.training.method import Draw
from ops.training.prefetch import prefetched

if TYPE_CHECKING:
    from ops.training.session import Batch, Session

SECONDS_BETWEEN_LINES = 5.0


def run_steps(session: Session) -> None:
    """Train from the step after the session's to the schedule's last."""
    schedule, method = session.job.schedule, session.method
    if session.step == 0 and session.first is None:
        figures = validated(session, 0)
        session.first = figures[method.metric]
        session.record(0, figures)
        session.draw_picture(0)
    said = 0.0
    for step, batch in prefetched(range(session.step + 1, schedule.steps + 1), session.read):
        started = time.perf_counter()
        figures = step_without_unusable(session, step, batch)
        session.ema.update(session.engine.module, step)
        session.step = step
        figures["step_seconds"] = time.perf_counter() - started
        due = step % schedule.checkpoint_every == 0 or step == schedule.steps
        if due or step % schedule.validate_every == 0:
            held_out = validated(session, step)
            figures.update(held_out)
            session.draw_picture(step)
        session.record(step, figures)
        session.report_progress(step, f"loss {figures['loss']:.4g}")
        if due or time.time() - said > SECONDS_BETWEEN_LINES:
            session.say(_line(step, schedule.steps, figures))
            said = time.time()
        if due:
            session.save_checkpoint(held_out)


def step_without_unusable(session: Session, step: int, batch: Batch) -> dict[str, float]:
    """`one_step`, again and again with other samples in the place of those that turn out to be unusable."""
    while True:
        if batch.sample_ids != session.sample_ids(step):  # one of them was left out after this was read
            batch = session.read(step)
        try:
            return one_step(session, step, batch)
        except UnusableSamples as found:
            session.leave_out(step, found.reasons)


def validated(session: Session, step: int) -> dict[str, float]:
    """The held-out figures of the average, without the samples that turn out to be unusable."""
    while True:
        try:
            return session.method.validate(session.ema.module, step, session.watch(step))
        except UnusableSamples as found:
            session.leave_out(step, found.reasons)


def one_step(session: Session, step: int, batch: Batch) -> dict[str, float]:
    """Forward and backward for each micro-batch, one step of the optimizer, and its figures over all ranks.

    Raises:
        UnusableSamples: when samples were found whose data, loss or gradient is not finite. Weights and optimizer are
            as they were.
        LossNotFinite: when something is not finite and no sample is to blame, or all of them.
    """
    if unusable := anywhere(batch.unusable, session.device):
        raise UnusableSamples(unusable)
    engine, clipping = session.engine, session.clipping
    rate = deepspeed_engine.learning_rate(session.job.schedule.optimizer, step, session.job.schedule.steps)
    for group in engine.optimizer.param_groups:
        group["lr"] = rate
    engine.optimizer.clip_grad = threshold = clipping.threshold
    totals: dict[str, Tensor] = {}
    for number, part in enumerate(batch.parts, start=1):
        position = session.first_position + (number - 1) * session.micro_batch
        loss, figures = session.method.loss(engine, part, _draw(session, step, position))
        figures = {"loss": loss, **figures}
        for name, value in figures.items():
            totals[name] = totals.get(name, torch.zeros_like(value)) + value.detach() / len(batch.parts)
        engine.backward(loss * _one_if_finite(figures))
        if number < len(batch.parts):
            engine.step()
    means = mean_over_ranks(totals, session.device)
    engine.step()  # DeepSpeed changes nothing when the gradient is not finite
    norm = float(engine.get_global_grad_norm())
    means.update(grad_norm=norm, clip_threshold=threshold, learning_rate=rate)
    if not all(map(math.isfinite, means.values())):
        session.method.discard()
        raise _unusable(session, step, batch.sample_ids, means)
    if clipping.observe(norm) and clipping.spikes_in_a_row == 1:
        session.note_incident(step, "the gradient norm is a spike; it was clipped", means)
    if session.left_out.samples:
        means["left_out"] = len(session.left_out.samples)
    after = session.method.after_step(step)
    return {**means, **(mean_over_ranks(after, session.device) if after else {})}


def _one_if_finite(figures: Mapping[str, Tensor]) -> Tensor:
    """A factor for the loss: NaN when any of its figures is not finite, for with that the optimizer makes no step."""
    finite = torch.stack([value.detach().isfinite().all() for value in figures.values()]).all()
    return torch.where(finite, 1.0, torch.nan)


def _unusable(session: Session, step: int, sample_ids: Sequence[str], figures: dict[str, float]) -> Exception:
    """What to raise for a step that is not finite: the samples to blame, each looked at by itself.

    If not one sample of the batch is finite, others decide whether it is the samples or the weights.
    """
    culprits = _not_finite(session, step, sample_ids)
    if culprits and (culprits.keys() < set(sample_ids) or _others_are_finite(session, step, culprits)):
        return UnusableSamples(culprits)
    which = "every sample's loss or gradient" if culprits else "only what samples have in common"
    reason = f"the loss or its gradient is not finite ({which})"
    path = session.note_incident(step, reason, figures)
    return LossNotFinite(
        f"step {step}: {reason}: {figures}; the samples of the batch are in {path}. Lower "
        "schedule.optimizer.learning_rate; the newest checkpoint is from before this step"
    )


def _others_are_finite(session: Session, step: int, culprits: Mapping[str, str]) -> bool:
    try:
        others = session.method.order.batch(step, {*session.left_out.samples, *culprits})
    except NoBatches:
        return False
    return _not_finite(session, step, others).keys() < set(others)


def _not_finite(session: Session, step: int, sample_ids: Sequence[str]) -> dict[str, str]:
    """Those of a global batch whose own loss, or else gradient, is not finite, with the random numbers of their place.

    Each rank looks at its part, and every rank hears of all.
    """
    for look, what in ((_loss_alone, "loss"), (_gradient_alone, "gradient")):
        found: dict[str, str] = {}
        for position in session.positions:
            try:
                sound = look(session, sample_ids[position], _draw(session, step, position, alone=True))
            except UnusableSamples as unusable:
                found |= unusable.reasons
            else:
                found |= {} if sound else {sample_ids[position]: f"its {what} is not finite"}
        if everyone := dict(gathered(list(found.items()))):
            return everyone
    return {}


@torch.no_grad()
def _loss_alone(session: Session, sample_id: str, draw: Draw) -> bool:
    method = session.method
    loss, figures = method.loss(method.model, method.read([sample_id]), draw)
    return bool(_one_if_finite({"loss": loss, **figures}) == 1)


def _gradient_alone(session: Session, sample_id: str, draw: Draw) -> bool:
    method = session.method
    loss, _ = method.loss(method.model, method.read([sample_id]), draw)
    trained = [parameter for parameter in method.model.parameters() if parameter.requires_grad]
    gradients = torch.autograd.grad(loss, trained, allow_unused=True)
    return all(bool(gradient.isfinite().all()) for gradient in gradients if gradient is not None)


def _draw(session: Session, step: int, position: int, alone: bool = False) -> Draw:
    return Draw(session.job.settings.seed, step, position, session.job.schedule.batch_size, alone)


def _line(step: int, steps: int, figures: dict[str, float]) -> str:
    shown = ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
    return f"step {step}/{steps}: {shown}"
