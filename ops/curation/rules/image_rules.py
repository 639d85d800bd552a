"""Which pictures a collection admits, besides the limits that pictures share with clips.

The reports give no code and few numbers for their collections (text-bearing pictures of 512 pixels, the English half;
people at high resolution and aesthetics, without watermarks). Where they are silent the defaults are those by which
LAION's aesthetic subset was made: sides of at least 512, a watermark less probable than 0.5.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache

from ops.config import Curation, ImageCollectionRules, Rule
from ops.curation.rules.english import is_english
from ops.curation.rules.reasons import Reason, Rejection
from ops.curation.scorers.text_recognition import Line
from ops.data.tables import Row

_PEOPLE = (
    "person persons people human humans man men woman women boy boys girl girls child children kid kids baby babies "
    "toddler teenager adult lady ladies gentleman gentlemen guy guys couple crowd family bride groom mother father "
    "son daughter brother sister friends student students worker workers player players dancer dancers singer actor "
    "actress model portrait selfie face faces he she him his her hers"
)
PEOPLE = frozenset(_PEOPLE.split())


def rules_of(collection: str | None, curation: Curation) -> ImageCollectionRules:
    """The rules of a collection; those of captioned photographs where none is named."""
    rules: ImageCollectionRules = getattr(curation.images, collection or "captioned")
    return rules


def known_reason(row: Row, curation: Curation) -> tuple[str, Rejection] | None:
    """(rule, reason) of the first rule that a picture breaks by what is known of it without looking at it again."""
    for rule, judge in _RULES.items():
        if reason := judge(row, curation):
            return rule, reason
    return None


@cache
def with_own_rules(collection: str | None, curation: Curation) -> Curation:
    """The settings with the collection's own minimum of aesthetics in the place of the common one, if it has one."""
    minimum = rules_of(collection, curation).min_aesthetic
    if minimum is None:
        return curation
    others = (rule for rule in curation.rules if rule.score != "aesthetic")
    return curation.model_copy(update={"rules": (Rule(score="aesthetic", minimum=minimum), *others)})


def readable(lines: list[Line], curation: Curation) -> list[str]:
    """The texts that were read surely enough."""
    return [line["text"] for line in lines if line["confidence"] >= curation.images.text.min_confidence]


def text_reason(lines: list[Line], curation: Curation) -> Rejection | None:
    """Whether a text-bearing picture really bears text, and, if the recipe asks for it, in English letters."""
    rules, text = curation.images.text, " ".join(readable(lines, curation))
    characters = sum(not each.isspace() for each in text)
    if characters < rules.min_characters:
        best = max((line["confidence"] for line in lines), default=0.0)
        said = f"{characters} characters are read with a confidence of {rules.min_confidence:g}"
        return Rejection(Reason.NO_TEXT, f"{said}, fewer than {rules.min_characters} (best line: {best:.2f})")
    if rules.english_only and not is_english(text):
        return Rejection(Reason.NOT_ENGLISH, f"the text in it is not English: {text[:60]!r}")
    return None


def _size(row: Row, curation: Curation) -> Rejection | None:
    side = min(row["width"], row["height"])
    least = max(curation.images.min_side, rules_of(row["collection"], curation).min_side)
    return Rejection(Reason.TOO_SMALL, f"short side {side} is below {least} pixels") if side < least else None


def _watermark(row: Row, curation: Curation) -> Rejection | None:
    limit, probable = rules_of(row["collection"], curation).max_watermark, row["watermark"]
    if limit is None:
        return None
    if probable is None:
        key = f"curation.images.{row['collection']}.max_watermark"
        return Rejection(
            Reason.WATERMARK,
            f"nothing says how probable a watermark is: give 'pwatermark' in its .json or manifest line, or set {key} "
            "to null",
        )
    if probable > limit:
        return Rejection(Reason.WATERMARK, f"a watermark is {probable:.2f} probable, more than {limit:g}")
    return None


def _language(row: Row, curation: Curation) -> Rejection | None:
    if not rules_of(row["collection"], curation).english_only:
        return None
    foreign = next((caption for caption in row["captions"] or () if not is_english(caption)), None)
    return None if foreign is None else Rejection(Reason.NOT_ENGLISH, f"its caption is not English: {foreign[:60]!r}")


def _people(row: Row, curation: Curation) -> Rejection | None:
    """Judged by the captions that came along; a picture without any is taken for what its collection says."""
    if row["collection"] != "people" or not curation.images.people.must_be_named or not row["captions"]:
        return None
    if any(PEOPLE.intersection(_words(caption)) for caption in row["captions"]):
        return None
    return Rejection(Reason.NO_PEOPLE, f"its caption names nobody: {row['captions'][0][:60]!r}")


_RULES: dict[str, Callable[[Row, Curation], Rejection | None]] = {
    "min_side": _size,
    "watermark": _watermark,
    "language": _language,
    "people": _people,
}
"""In the order in which they are asked."""
TEXT = "recognised_text"
"""The rule, and the step, of what is written in a picture."""
ORDER = (*_RULES, "aesthetics", "technical_quality", TEXT, "near_duplicates")
"""What an image may be rejected by, one after the other; some are steps of the graph, too."""


def _words(text: str) -> Iterator[str]:
    return (found[0] for found in re.finditer(r"[a-z]+", text.casefold()))
