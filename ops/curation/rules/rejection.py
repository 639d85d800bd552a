"""From a raw score to keep or drop, for one clip. `decisions` does the same for whole tables."""

from __future__ import annotations

from collections.abc import Sequence

from ops.catalogue import SCORERS, SCORES, Bound
from ops.config import Curation, Rule
from ops.curation.rules.reasons import Rejection


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
        if without := unmeasured(score):
            return without
        raise UnmeasuredScore(f"'{score}' of a clip that is still in has not been measured")
    bound = rule.passed_by(value)
    if bound is None:
        return None
    (told,) = sentences(curation, rule, bound, [value])
    return Rejection(SCORES[score].beyond[bound].code, told)


def unmeasured(score: str) -> Rejection | None:
    """Why a clip is out that cannot have this score; None if every clip must have it."""
    wording = SCORES[score].unmeasured
    return None if wording is None else Rejection(wording.code, wording.sentence)


def sentences(curation: Curation, rule: Rule, bound: Bound, values: Sequence[float]) -> list[str]:
    """The reason of each of these values, which are all beyond this bound."""
    score = SCORES[rule.score]
    told, scorer = score.beyond[bound], getattr(curation, score.section).scorer
    # filled in once, but for the score: this is done for half a million clips at a time
    form = told.sentence.format(score=f"%.{told.decimals}f", limit=rule.bounds[bound], scorer=scorer)
    return [form % value for value in values]


def titles(curation: Curation) -> dict[str, str]:
    """What each score that a rule may decide by measures, in words."""
    return {name: score.title.format(scorer=in_words(score.section, curation)) for name, score in SCORES.items()}


def in_words(section: str, curation: Curation) -> str:
    """What the scorer of a section of the recipe measures."""
    return SCORERS[getattr(curation, section).scorer].in_words
