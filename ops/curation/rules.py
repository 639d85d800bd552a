"""From a raw score to keep or drop. Each rule gives the reason why a clip is out, or None when it stays."""

from __future__ import annotations

from ops.config import Aesthetics, Motion, TechnicalQuality
from ops.curation.reasons import Reason, Rejection


def motion_reason(score: float | None, rule: Motion) -> Rejection | None:
    if score is None:
        return Rejection(Reason.NO_MOTION, "no two sampled frames, so no motion to measure")
    if score < rule.minimum:
        return Rejection(Reason.STILL, f"motion {score:.4f} is below {rule.minimum:g}: almost a still picture")
    if score > rule.maximum:
        return Rejection(Reason.SHAKING, f"motion {score:.3f} is above {rule.maximum:g}: shaking or flicker")
    return None


def aesthetics_reason(score: float, rule: Aesthetics) -> Rejection | None:
    if score < rule.minimum:
        return Rejection(Reason.LOW_AESTHETICS, f"{rule.scorer} {score:.2f} is below {rule.minimum:g}")
    return None


LOWER_IS_BETTER = ("brisque", "niqe")


def technical_reason(score: float, rule: TechnicalQuality) -> Rejection | None:
    """BRISQUE and NIQE measure damage, so more is worse; DOVER measures quality, so less is."""
    if rule.scorer in LOWER_IS_BETTER and score > rule.threshold:
        return Rejection(Reason.LOW_QUALITY, f"{rule.scorer} {score:.2f} is above {rule.threshold:g}")
    if rule.scorer not in LOWER_IS_BETTER and score < rule.threshold:
        return Rejection(Reason.LOW_QUALITY, f"{rule.scorer} {score:.3f} is below {rule.threshold:g}")
    return None
