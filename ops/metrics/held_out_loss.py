"""The loss of a denoiser on held-out samples, which its training measures."""

from __future__ import annotations

from ops.metrics.base import Metric


class HeldOutLoss(Metric):
    name, version = "held_out_loss", "1"
    higher_is_better = False
