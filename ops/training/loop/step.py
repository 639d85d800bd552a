"""One step of a training, on all ranks together."""

from __future__ import annotations

import math
from typing import TypeVar

import torch
from torch import Tensor

from ops.training.data.left_out import UnusableSamples
from ops.training.loop import engine as deepspeed_engine
from ops.training.loop.collective import anywhere, mean_over_ranks
from ops.training.loop.culprits import one_if_finite, what_is_not_finite
from ops.training.loop.session import Batch, Session

B = TypeVar("B")


def one_step(session: Session[B], step: int, batch: Batch[B]) -> dict[str, float]:
    """Forward and backward for each micro-batch, one step of the optimizer, and its figures over all ranks.

    Raises:
        UnusableSamples: when samples were found whose data, loss or gradient is not finite. Weights and optimizer are
            as they were.
        LossNotFinite: when something is not finite and no sample is to blame, or all of them.
    """
    if unusable := anywhere(batch.unusable, session.device):
        raise UnusableSamples(unusable)
    method, state = session.method, session.state
    engine, clipping = state.engine, state.clipping
    rate = deepspeed_engine.learning_rate(session.job.schedule.optimizer, step, session.job.schedule.steps)
    for group in engine.optimizer.param_groups:
        group["lr"] = rate
    engine.optimizer.clip_grad = threshold = clipping.threshold
    totals: dict[str, Tensor] = {}
    for number, (part, positions) in enumerate(zip(batch.parts, batch.share.micro_batches, strict=True), start=1):
        loss, figures = method.objective.loss(engine, part, session.draw(step, positions.start))
        figures = {"loss": loss, **figures}
        for name, value in figures.items():
            totals[name] = totals.get(name, torch.zeros_like(value)) + value.detach() / len(batch.parts)
        engine.backward(loss * one_if_finite(figures))
        if number < len(batch.parts):
            engine.step()
    means = mean_over_ranks(totals, session.device)
    engine.step()  # DeepSpeed changes nothing when the gradient is not finite
    norm = float(engine.get_global_grad_norm())
    means.update(grad_norm=norm, clip_threshold=threshold, learning_rate=rate)
    if not all(map(math.isfinite, means.values())):
        for companion in method.companions:
            companion.discard()
        raise what_is_not_finite(session, step, batch.sample_ids, means)
    if clipping.observe(norm) and clipping.spikes_in_a_row == 1:
        session.recorder.incident(step, "the gradient norm is a spike; it was clipped", means, batch.sample_ids)
    if state.left_out.samples:
        means["left_out"] = len(state.left_out.samples)
    learned = {name: value for each in method.companions for name, value in each.after_step().items()}
    return {**means, **(mean_over_ranks(learned, session.device) if learned else {})}
