"""From a raw score to keep or drop. Each rule gives the reason why a clip is out, or None when it stays."""

from __future__ import annotations

from ops.config import Aesthetics, Motion, TechnicalQuality


def motion_reason(score: float | None, rule: Motion) -> str | None:
    if score is None:
        return "no two sampled frames, so no motion to measure"
    if score < rule.minimum:
        return f"motion {score:.4f} is below {rule.minimum:g}: almost a still picture"
    if score > rule.maximum:
        return f"motion {score:.3f} is above {rule.maximum:g}: shaking or flicker"
    return None


def aesthetics_reason(score: float, rule: Aesthetics) -> str | None:
    if score < rule.minimum:
        return f"{rule.scorer} {score:.2f} is below {rule.minimum:g}"
    return None


LOWER_IS_BETTER = ("brisque", "niqe")


def technical_reason(score: float, rule: TechnicalQuality) -> str | None:
    """BRISQUE and NIQE measure damage, so more is worse; DOVER measures quality, so less is."""
    if rule.scorer in LOWER_IS_BETTER and score > rule.threshold:
        return f"{rule.scorer} {score:.2f} is above {rule.threshold:g}"
    if rule.scorer not in LOWER_IS_BETTER and score < rule.threshold:
        return f"{rule.scorer} {score:.3f} is below {rule.threshold:g}"
    return None
