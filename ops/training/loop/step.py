"""One step of a training, on all ranks together."""

from __future__ import annotations

from typing import TypeVar

from ops.training.clipping.dropping import Dropping
from ops.training.data.left_out import UnusableSamples
from ops.training.loop import engine as deepspeed_engine
from ops.training.loop.collective import anywhere, mean_over_ranks
from ops.training.loop.global_update import global_update
from ops.training.loop.rank_update import rank_update
from ops.training.loop.session import Batch, Session
from ops.training.loop.update import Update

B = TypeVar("B")


def one_step(session: Session[B], step: int, batch: Batch[B]) -> dict[str, float]:
    """Forward and backward for each micro-batch, one step of the optimizer, and its figures over all ranks.

    Where every rank's gradient was dropped the optimizer makes no step: there is neither momentum nor decay, and the
    figure `skipped` says so.

    Raises:
        UnusableSamples: when samples were found whose data, loss or gradient is not finite. Weights and optimizer are
            as they were.
        LossNotFinite: when something is not finite and no sample is to blame, or all of them.
    """
    if unusable := anywhere(batch.unusable, session.device):
        raise UnusableSamples(unusable)
    method, state = session.method, session.state
    rate = deepspeed_engine.learning_rate(session.job.schedule.optimizer, step, session.job.schedule.steps)
    for group in state.engine.optimizer.param_groups:
        group["lr"] = rate
    session.pace.read(batch.seconds)
    update = _update(session, step, batch, rate)
    for line in session.pace.compared(step):
        session.recorder.say(line)
    figures = update.figures
    if state.left_out.samples:
        figures["left_out"] = len(state.left_out.samples)
    if not update.whole:  # some of what companions were shown may not even be finite
        for companion in method.companions:
            companion.discard()
        return figures
    learned = {name: value for each in method.companions for name, value in each.after_step().items()}
    return {**figures, **(mean_over_ranks(learned, session.device) if learned else {})}


def _update(session: Session[B], step: int, batch: Batch[B], rate: float) -> Update:
    rule = session.state.clipping
    if isinstance(rule, Dropping):
        return rank_update(session, rule, step, batch, rate)
    return global_update(session, rule, step, batch, rate)
