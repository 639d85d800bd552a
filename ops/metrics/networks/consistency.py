"""How alike the frames of a video are by their features, as VBench's two measures of consistency have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ops.metrics.base import Value

if TYPE_CHECKING:
    from torch import Tensor


def consistency(features: Tensor) -> Value:
    """Of features [T, C]: the mean over frames after the first of half the cosine with the frame before and half that
    with the first frame, neither below 0. A set's score is the mean over all of its frames."""
    from torch.nn import functional as F

    unit = F.normalize(features.float(), dim=-1)
    before, first = (unit[1:] * unit[:-1]).sum(dim=-1), unit[1:] @ unit[0]
    terms = (before.clamp(min=0) + first.clamp(min=0)) / 2
    total = float(terms.double().sum())
    return Value(total / len(terms), {"total": total, "parts": len(terms)})
