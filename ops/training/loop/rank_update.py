"""A step on the gradients of those ranks whose own is not abnormal; the others are dropped before all are averaged.

DeepSpeed keeps gradients to the rank between the backward passes and their reduction when it is asked to (its public
`coalesce_grad_reduction`), so that each is whole, with all its micro-batches, when it is looked at. They are held for
the whole step: ZeRO-2 and 3 save no memory on them meanwhile, and no communication overlaps the backward pass.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor

from ops.training.clipping.dropping import Dropping, Judgement
from ops.training.loop.collective import by_rank
from ops.training.loop.culprits import require_finite
from ops.training.loop.session import Batch, Session
from ops.training.loop.update import SKIPPED, Update, passes
from ops.training.recording.incidents import Incident, suspects

if TYPE_CHECKING:
    from deepspeed import DeepSpeedEngine

B = TypeVar("B")


def rank_update(session: Session[B], rule: Dropping, step: int, batch: Batch[B], rate: float) -> Update:
    """A gradient that is not finite is dropped like one that is too large, unless none is finite.

    Raises what `require_finite` says; weights and optimizer are then as they were.
    """
    engine, share = session.state.engine, batch.share
    with engine.coalesce_grad_reduction():
        totals = passes(session, step, batch, lambda: None)
        gradients = own_gradients(engine)
        ranks = by_rank({"norm": norm_of(gradients), **totals}, session.device)
        norms = of_parts(ranks["norm"], share.parts)
        judged = rule.judge(norms, session.bucket(batch.sample_ids)) if any(map(math.isfinite, norms)) else None
        if judged:
            apply(judged, share.part, gradients)
    engine.set_gradient_accumulation_boundary(True)
    engine.optimizer.clip_grad = rule.settings.max_norm
    engine.step()  # DeepSpeed changes nothing when the gradient is not finite
    figures = {**_means(ranks, judged), "learning_rate": rate}
    if judged is None or any(judged.kept):
        figures["grad_norm"] = float(engine.get_global_grad_norm())
    require_finite(session, step, batch.names, figures)
    assert judged is not None  # or else no gradient was finite
    figures.update(_figures(rule, judged))
    if judged.dropped and rule.is_to_be_told(judged.in_a_row):
        dropped = [part for part, keep in enumerate(judged.kept) if not keep]
        blamed = suspects(share, batch.sample_ids, ranks, dropped)
        session.tell(Incident(step, _reason(rule, judged, norms), figures, batch.sample_ids, blamed))
    return Update(figures, whole=all(judged.kept))


def own_gradients(engine: DeepSpeedEngine) -> list[Tensor]:
    """What this rank's backward passes have added up, before any reduction; to be changed in place."""
    held = (p.grad if p.grad is not None else getattr(p, "grad_accum", None) for p in engine.module.parameters())
    return [gradient for gradient in held if gradient is not None]


def norm_of(gradients: Sequence[Tensor]) -> Tensor:
    """The L2 norm of all of them together, float32."""
    norms = torch._foreach_norm(list(gradients), 2, dtype=torch.float32)
    whole: Tensor = torch.linalg.vector_norm(torch.stack(list(norms)))
    return whole


def of_parts(norms: Sequence[float], parts: int) -> list[float]:
    """The norm of each part of a batch: the largest of the ranks that compute it together, which follow each other."""
    ranks = len(norms) // parts
    groups = [norms[first : first + ranks] for first in range(0, len(norms), ranks)]
    return [max(group) if all(map(math.isfinite, group)) else math.nan for group in groups]


def apply(judged: Judgement, part: int, gradients: list[Tensor]) -> None:
    """Make of a rank's own gradients, in place, what it contributes to the mean over all: nothing where its part is
    dropped, NaN where all are."""
    if judged.kept[part] or not any(judged.kept):
        if judged.factor != 1.0:
            torch._foreach_mul_(gradients, judged.factor)
    else:
        torch._foreach_zero_(gradients)  # not a product: what is not finite stays so


def _means(ranks: Mapping[str, Sequence[float]], judged: Judgement | None) -> dict[str, float]:
    """Each figure, over the ranks that are kept; where none is, over those whose gradient is finite, or else all."""
    norms = ranks["norm"]
    finite = [math.isfinite(norm) for norm in norms]
    counted = finite if any(finite) else [True] * len(norms)
    if judged and any(judged.kept):
        counted = [judged.kept[rank * len(judged.kept) // len(norms)] for rank in range(len(norms))]
    return {
        name: sum(value for value, counts in zip(values, counted, strict=True) if counts) / sum(counted)
        for name, values in ranks.items()
        if name != "norm"
    }


def _figures(rule: Dropping, judged: Judgement) -> dict[str, float]:
    """The curves of the paper's figure 8, but for the loss. What a step does not have is left out."""
    figures: dict[str, float | None] = {
        "clip_threshold": judged.threshold,
        "dropped_batches": float(judged.dropped),
        "largest_norm": judged.largest,
        "norm_distance": judged.distance,
        "kept_norm": judged.largest_kept,
        "norm_mean": rule.statistics.mean,
        "norm_variance": rule.statistics.variance,
        SKIPPED: None if any(judged.kept) else 1.0,
    }
    return {name: value for name, value in figures.items() if value is not None}


def _reason(rule: Dropping, judged: Judgement, norms: Sequence[float]) -> str:
    told = f"{judged.dropped} of {len(norms)} gradients dropped: " + " and ".join(_causes(judged, norms))
    if not any(judged.kept):
        told += ", so that no step was made"
    if rule.lasts(judged.in_a_row):
        told += (
            f". It is so for {judged.in_a_row} steps in a row now, so that this is no exception but a new level, and "
            "moves the threshold like any other. If the loss rises as well, lower schedule.optimizer.learning_rate and "
            "train anew; else look at the samples below"
        )
    return told


def _causes(judged: Judgement, norms: Sequence[float]) -> Iterator[str]:
    not_finite = sum(not math.isfinite(norm) for norm in norms)
    if judged.dropped > not_finite and judged.largest is not None:
        yield f"the largest norm, {judged.largest:.4g}, is above {judged.threshold:.4g}"
    if not_finite:
        yield f"{not_finite} of them not finite"
