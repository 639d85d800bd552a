"""From a raw score to keep or drop, for one clip. `decisions` does the same for whole tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ops.config import Bound, Curation, Rule
from ops.curation.rules.reasons import Reason, Rejection


class Wording(NamedTuple):
    """How a score beyond a bound is told, with so many decimals."""

    code: Reason
    sentence: str
    decimals: int


_STILL = Wording(Reason.STILL, "motion {score} is below {limit:g}: almost a still picture", 4)
_SHAKING = Wording(Reason.SHAKING, "motion {score} is above {limit:g}: shaking or flicker", 3)
WORDINGS: dict[tuple[str, Bound], Wording] = {
    ("motion", "minimum"): _STILL,
    ("motion", "maximum"): _SHAKING,
    ("central_text", "maximum"): Wording(Reason.MUCH_TEXT, "text in the middle: share {score} is above {limit:g}", 3),
    ("aesthetic", "minimum"): Wording(Reason.LOW_AESTHETICS, "{scorer} {score} is below {limit:g}", 2),
    ("technical", "minimum"): Wording(Reason.LOW_QUALITY, "{scorer} {score} is below {limit:g}", 3),
    ("technical", "maximum"): Wording(Reason.LOW_QUALITY, "{scorer} {score} is above {limit:g}", 2),
    ("safety", "minimum"): Wording(Reason.UNSAFE, "{scorer} {score} is below {limit:g}", 3),
    ("motion_cropped", "minimum"): _STILL,
    ("motion_cropped", "maximum"): _SHAKING,
}
NO_MOTION = Rejection(Reason.NO_MOTION, "no two sampled frames, so no motion to measure")


class UnmeasuredScore(ValueError):
    """A clip that is still in has no score where a rule needs one: its step has to measure it first."""


def rejection(curation: Curation, score: str, value: float | None) -> Rejection | None:
    """Why a clip with this value of a score is out, or None: by its rule, or since the recipe has none.

    Raises:
        UnmeasuredScore: there is no value. Only motion may have none, of a clip with less than two sampled frames.
    """
    rule = curation.rule(score)
    if rule is None:
        return None
    if value is None:
        if score in ("motion", "motion_cropped"):
            return NO_MOTION
        raise UnmeasuredScore(f"'{score}' of a clip that is still in has not been measured")
    for bound, limit in rule.bounds.items():
        if value < limit if bound == "minimum" else value > limit:
            (told,) = sentences(curation, rule, bound, [value])
            return Rejection(WORDINGS[score, bound].code, told)
    return None


def sentences(curation: Curation, rule: Rule, bound: Bound, values: Sequence[float]) -> list[str]:
    """The reason of each of these values, which are all beyond this bound."""
    scorers: dict[str, str] = {
        "aesthetic": curation.aesthetics.scorer,
        "technical": curation.technical_quality.scorer,
        "safety": curation.safety.scorer,
    }
    told = WORDINGS[rule.score, bound]
    # filled in once, but for the score: this is done for half a million clips at a time
    form = told.sentence.format(score=f"%.{told.decimals}f", limit=rule.bounds[bound], scorer=scorers.get(rule.score))
    return [form % value for value in values]


def titles(curation: Curation) -> dict[str, str]:
    """What each score that a rule may decide by measures, in words."""
    mean = "mean picture change" if curation.shots.scorer == "picture-change" else "mean LPIPS"
    return {
        "motion": f"motion, {mean}",
        "central_text": "text in the middle, share of the picture",
        "aesthetic": f"aesthetics, {curation.aesthetics.scorer}",
        "technical": f"technical quality, {curation.technical_quality.scorer}",
        "safety": f"safety, {curation.safety.scorer}",
        "motion_cropped": f"motion after cropping, {mean}",
    }
