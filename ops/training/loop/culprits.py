"""Who is to blame for a step that is not finite: samples, each looked at by itself, or else the weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypeVar

import torch
from torch import Tensor

from ops.training.data.batch_sizes import NoBatches
from ops.training.data.left_out import LossNotFinite, UnusableSamples
from ops.training.loop.collective import gathered
from ops.training.loop.session import Named, Session
from ops.training.methods.method import Draw
from ops.training.recording.incidents import Incident, incident_file

B = TypeVar("B")


def one_if_finite(figures: Mapping[str, Tensor]) -> Tensor:
    """A factor for the loss: NaN when any of its figures is not finite, for with that the optimizer makes no step."""
    finite = torch.stack([value.detach().isfinite().all() for value in figures.values()]).all()
    return torch.where(finite, 1.0, torch.nan)


def require_finite(session: Session[B], step: int, names: Named, figures: Mapping[str, float]) -> None:
    """Of the figures of a step that was not made where one of them is not finite.

    Raises:
        UnusableSamples: when samples are to blame, whose loss or gradient is not finite.
        LossNotFinite: when none is, or all are.
    """
    if all(map(math.isfinite, figures.values())):
        return
    for companion in session.method.companions:
        companion.discard()
    raise _what_is_not_finite(session, step, names, figures)


def _what_is_not_finite(session: Session[B], step: int, names: Named, figures: Mapping[str, float]) -> Exception:
    """What to raise for a step that is not finite: the samples to blame, each looked at by itself.

    If not one sample of the batch is finite, others decide whether it is the samples or the weights.
    """
    culprits = _not_finite(session, step, names)
    if culprits and (culprits.keys() < names.all or _others_are_finite(session, step, culprits)):
        return UnusableSamples(culprits)
    which = "every sample's loss or gradient" if culprits else "only what samples have in common"
    reason = f"the loss or its gradient is not finite ({which})"
    session.tell(Incident(step, reason, figures, names.sample_ids))
    path = incident_file(session.job.folder, step)
    return LossNotFinite(
        f"step {step}: {reason}: {dict(figures)}; the samples of the batch are in {path}. Lower "
        "schedule.optimizer.learning_rate; the newest checkpoint is from before this step"
    )


def _others_are_finite(session: Session[B], step: int, culprits: Mapping[str, str]) -> bool:
    try:
        others = session.named(step, without=culprits)
    except NoBatches:
        return False
    return _not_finite(session, step, others).keys() < others.all


def _not_finite(session: Session[B], step: int, names: Named) -> dict[str, str]:
    """Those of a global batch whose own loss, or else gradient, is not finite, with the random numbers of their place.

    Each rank looks at its part, and every rank hears of all. Ranks may compute a sample, or weights, only together: so
    all have read theirs before one is looked at, and each looks at as many.
    """
    unusable: dict[str, str] = {}
    alone: list[tuple[str, B, Draw]] = []
    data = session.method.data
    epoch = data.samples.order.epoch(step)
    for position in session.share(names.sample_ids).positions:
        draw = session.draw(step, position, len(names.sample_ids), alone=True)
        for name in names.at(range(position, position + 1)):
            try:
                alone.append((name, data.read([name], epoch), draw))
            except UnusableSamples as found:
                unusable |= found.reasons
    if everyone := dict(gathered(list(unusable.items()))):
        return everyone
    for look, what in ((_loss_alone, "loss"), (_gradient_alone, "gradient")):
        bad = [name for name, sample, draw in alone if not look(session, sample, draw)]
        if everyone := dict(gathered([(name, f"its {what} is not finite") for name in bad])):
            return everyone
    return {}


@torch.no_grad()
def _loss_alone(session: Session[B], sample: B, draw: Draw) -> bool:
    loss, figures = session.method.objective.loss(session.method.model, sample, draw)
    return bool(one_if_finite({"loss": loss, **figures}) == 1)


def _gradient_alone(session: Session[B], sample: B, draw: Draw) -> bool:
    loss, _ = session.method.objective.loss(session.method.model, sample, draw)
    trained = [parameter for parameter in session.method.model.parameters() if parameter.requires_grad]
    gradients = torch.autograd.grad(loss, trained, allow_unused=True)
    return all(bool(gradient.isfinite().all()) for gradient in gradients if gradient is not None)
