"""A step on the gradient of all ranks together, which is scaled down to the norm that a rule names."""

from __future__ import annotations

from typing import TypeVar

from ops.training.clipping.global_norm import GlobalNorm, Observation
from ops.training.loop.collective import by_rank, mean_over_ranks
from ops.training.loop.culprits import require_finite
from ops.training.loop.session import Batch, Session
from ops.training.loop.update import Update, passes
from ops.training.recording.incidents import Incident, suspects

B = TypeVar("B")


def global_update(session: Session[B], rule: GlobalNorm, step: int, batch: Batch[B], rate: float) -> Update:
    """Raises what `require_finite` says; weights and optimizer are then as they were."""
    engine = session.state.engine
    engine.optimizer.clip_grad = threshold = rule.threshold
    totals = passes(session, step, batch, engine.step)
    means = mean_over_ranks(totals, session.device)
    engine.step()  # DeepSpeed changes nothing when the gradient is not finite
    norm = float(engine.get_global_grad_norm())
    figures = {**means, "grad_norm": norm, "clip_threshold": threshold, "learning_rate": rate}
    require_finite(session, step, batch.names, figures)
    seen = rule.observe(norm, session.bucket(batch.sample_ids))
    if rule.statistics.mean is not None:
        figures.update(
            kept_norm=min(norm, threshold), norm_mean=rule.statistics.mean, norm_variance=rule.statistics.variance
        )
    if seen.spikes_in_a_row == 1:
        losses = by_rank({"loss": totals["loss"]}, session.device)
        worst_first = sorted(range(batch.share.parts), key=lambda part: -losses["loss"][part])
        blamed = suspects(batch.share, batch.sample_ids, losses, worst_first)
        session.tell(Incident(step, "the gradient norm is a spike; it was clipped", figures, batch.sample_ids, blamed))
    if seen.in_a_row == rule.settings.patience:
        session.recorder.say(_risen(step, norm, threshold, seen))
    return Update(figures)


def _risen(step: int, norm: float, threshold: float, seen: Observation) -> str:
    return (
        f"step {step}: for {seen.in_a_row} steps in a row now the gradient norm ({norm:.4g}) is above its threshold "
        f"({threshold:.4g}), which follows it from here on"
    )
