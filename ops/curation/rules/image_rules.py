"""Which pictures a collection admits, besides the limits that pictures share with clips.

The reports give no code and few numbers for their collections (text-bearing pictures of 512 pixels, the English half;
people at high resolution and aesthetics, without watermarks). Where they are silent the defaults are those by which
LAION's aesthetic subset was made: sides of at least 512, a watermark less probable than 0.5.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ops.catalogue import RawScore
from ops.catalogue.images import RATED, RECOGNISED_TEXT, RULES_ABOUT_FACTS
from ops.catalogue.reasons import Reason
from ops.config import Curation, ImageCollectionRules, Rule
from ops.curation.rules.decisions import still_in, with_rejections
from ops.curation.rules.english import is_english
from ops.curation.rules.reasons import Rejection
from ops.curation.rules.rejection import rejection
from ops.curation.rules.repeats import STEP as REPEATS
from ops.curation.scorers import is_on
from ops.curation.scorers.text_recognition import Line
from ops.runtime.tables import Row

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


def decide_by_facts(table: pa.Table, curation: Curation) -> pa.Table:
    """The table with the pictures rejected that break a rule by what is known of them without looking at them again:
    by the first one in `ORDER`. It needs the columns `FACTS` and the verdict's."""
    for rule, (suspects, judge) in _RULES.items():
        places = np.flatnonzero(still_in(table) & _any_collection(suspects, table, curation))
        rows = table.select(FACTS).take(pa.array(places)).to_pylist()
        reasons = {int(place): judge(row, curation) for place, row in zip(places, rows, strict=True)}
        table = with_rejections(table, rule, {place: reason for place, reason in reasons.items() if reason})
    return table


def by_collection(table: pa.Table) -> dict[str, np.ndarray]:
    """{collection: bool [rows]}; a picture of none counts as `captioned`."""
    of = pc.fill_null(table["collection"], "captioned")
    return {name: pc.equal(of, name).to_numpy() for name in pc.unique(of).to_pylist()}


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


def _small(table: pa.Table, collection: str, curation: Curation) -> np.ndarray:
    least = max(curation.images.min_side, rules_of(collection, curation).min_side)
    return _numbers(pc.min_element_wise(table["width"], table["height"])) < least


def _marked(table: pa.Table, collection: str, curation: Curation) -> np.ndarray:
    limit = rules_of(collection, curation).max_watermark
    return np.full(len(table), False) if limit is None else ~(_numbers(table["watermark"]) <= limit)


def _of_one_language(table: pa.Table, collection: str, curation: Curation) -> np.ndarray:
    return np.full(len(table), rules_of(collection, curation).english_only)


def _shows_people(table: pa.Table, collection: str, curation: Curation) -> np.ndarray:
    return np.full(len(table), collection == "people" and curation.images.people.must_be_named)


_Suspects = Callable[[pa.Table, str, Curation], np.ndarray]


def _any_collection(suspects: _Suspects, table: pa.Table, curation: Curation) -> np.ndarray:
    found = np.full(len(table), False)
    for collection, its_rows in by_collection(table).items():
        found |= its_rows & suspects(table, collection, curation)
    return found


def _numbers(column: pa.ChunkedArray) -> np.ndarray:
    found: np.ndarray = pc.fill_null(pc.cast(column, pa.float64()), np.nan).to_numpy()
    return found


class _Rule(NamedTuple):
    """`suspects` (bool [rows]) are the pictures of a collection that the rule may reject, which spares a million others
    being judged one by one."""

    suspects: _Suspects
    judge: Callable[[Row, Curation], Rejection | None]


_RULES = {
    "min_side": _Rule(_small, _size),
    "watermark": _Rule(_marked, _watermark),
    "language": _Rule(_of_one_language, _language),
    "people": _Rule(_shows_people, _people),
}
"""Those of `RULES_ABOUT_FACTS`, in that order."""
FACTS = ("width", "height", "collection", "watermark", "captions")
"""What they ask about."""
RATINGS = {step.name: step.score.name for step in RATED if step.score}
"""Step → the column of its score, of every picture that is still in, where the recipe has not switched the step off."""
TEXT = RECOGNISED_TEXT.name
"""The rule, and the step, of what is written in a picture."""
ORDER = (*RULES_ABOUT_FACTS, *RATINGS, TEXT, REPEATS)
"""What an image may be rejected by, one after the other; some are steps of the graph, too."""


def ratings(curation: Curation) -> tuple[str, ...]:
    """The steps that rate every picture, but for those that the recipe has switched off."""
    return tuple(step for step in RATINGS if is_on(step, curation))


def steps_of(collection: str | None, curation: Curation) -> tuple[str, ...]:
    """What is measured of a picture, in this order."""
    read = (TEXT,) if collection == "text" else ()
    repeats = (REPEATS,) if is_on(REPEATS, curation) else ()
    return (*ratings(curation), *read, *repeats)


def is_in(step: str, value: RawScore, collection: str | None, curation: Curation) -> bool:
    """Whether the rules let a picture with this raw score go on."""
    if step == TEXT:
        return text_reason(value, curation) is None
    if step not in RATINGS:  # decided when all pictures are measured
        return True
    return rejection(with_own_rules(collection, curation), RATINGS[step], value) is None


def _words(text: str) -> Iterator[str]:
    return (found[0] for found in re.finditer(r"[a-z]+", text.casefold()))
