from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from ops.catalogue import DECIDERS
from ops.catalogue.images import RULES_ABOUT_FACTS
from ops.catalogue.reasons import Reason
from ops.config import Curation, resolve
from ops.curation.rules import image_rules
from ops.curation.rules.english import is_english
from ops.curation.rules.image_rules import decide_by_facts, readable, text_reason, with_own_rules
from ops.curation.tables import RAW_IMAGES
from ops.runtime.tables import Row


@pytest.fixture(scope="module")
def curation(checkout) -> Curation:
    images = {"people": {"min_aesthetic": 5.0}, "text": {"min_side": 256}}
    return resolve(checkout, "tiny", {"curation": {"images": images}}).curation


def picture(**columns: Any) -> dict[str, Any]:
    row = {"width": 640, "height": 512, "collection": "people", "watermark": 0.1, "captions": ["a man on a bench"]}
    return {**row, **columns}


def decided(curation: Curation, *pictures: dict[str, Any]) -> list[Row]:
    rows: list[Row] = decide_by_facts(pa.Table.from_pylist(list(pictures), schema=RAW_IMAGES), curation).to_pylist()
    return rows


@pytest.mark.parametrize(
    ("columns", "rule", "code", "text"),
    [
        ({"height": 511}, "min_side", Reason.TOO_SMALL, "short side 511 is below 512 pixels"),
        ({"watermark": 0.51}, "watermark", Reason.WATERMARK, "a watermark is 0.51 probable, more than 0.5"),
        ({"watermark": None}, "watermark", Reason.WATERMARK, "curation.images.people.max_watermark to null"),
        ({"captions": ["a red car"]}, "people", Reason.NO_PEOPLE, "its caption names nobody: 'a red car'"),
        ({"captions": ["Germany"]}, "people", Reason.NO_PEOPLE, "names nobody"),
        ({"collection": "text", "height": 255}, "min_side", Reason.TOO_SMALL, "255 is below 256"),
        (
            {"collection": "text", "captions": ["a sign", "ein Schild auf der Straße"]},
            "language",
            Reason.NOT_ENGLISH,
            "its caption is not English: 'ein Schild",
        ),
        ({"collection": "captioned", "height": 63}, "min_side", Reason.TOO_SMALL, "63 is below 64"),
        ({"collection": None, "height": 63}, "min_side", Reason.TOO_SMALL, "63 is below 64"),
    ],
)
def test_each_collection_has_rules_of_its_own(curation: Curation, columns, rule, code, text):
    (found,) = decided(curation, picture(**columns))
    assert (found["rejected_by"], found["reason_code"], text in found["reason"]) == (rule, code.value, True)


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"watermark": 0.5},
        {"captions": []},
        {"captions": ["a bench", "Two WOMEN, talking"]},
        {"collection": "text", "watermark": None, "captions": ["a sign in the rain"]},
        {"collection": "captioned", "watermark": 0.99, "captions": ["ein Hund"], "height": 64},
        {"collection": None, "watermark": None, "captions": None},
    ],
)
def test_what_breaks_no_rule_stays(curation: Curation, columns):
    (found,) = decided(curation, picture(**columns))
    assert found["rejected_by"] is None


def test_a_picture_is_judged_by_its_own_collection_whatever_lies_beside_it(curation: Curation):
    """And one that is out before, of which nothing is known, keeps its verdict."""
    pictures = [
        picture(height=100),
        picture(collection="captioned", height=100, captions=["ein Hund"]),
        {"rejected_by": "raw_images", "reason_code": "unknown_format", "reason": "not a picture"},
        picture(collection="text", captions=["ein Schild auf der Straße"], height=300),
        picture(captions=["a red car"], watermark=0.9),
        picture(captions=["a red car"]),
        picture(),
    ]
    found = decided(curation, *pictures)
    assert [row["rejected_by"] for row in found] == [
        *("min_side", None, "raw_images", "language", "watermark", "people", None)
    ]
    assert found[2]["reason"] == "not a picture"
    assert [row["rejected_by"] for row in decided(curation, *pictures[::-1])] == [row["rejected_by"] for row in found][
        ::-1
    ]
    assert decided(curation) == []


def test_a_collection_may_ask_for_more_beauty(curation: Curation):
    own = with_own_rules("people", curation).rule("aesthetic")
    assert own is not None
    assert own.minimum == 5.0
    assert with_own_rules("people", curation).rule("technical") == curation.rule("technical")
    assert with_own_rules("text", curation) == with_own_rules(None, curation) == curation


def line(text: str, confidence: float) -> Any:
    return {"text": text, "confidence": confidence, "box": [0, 10, 0, 10]}


def test_text_counts_only_where_it_is_read_surely(curation: Curation):
    lines = [line("OPEN", 0.9), line("blurred", 0.49), line("24", 0.5)]
    assert readable(lines, curation) == ["OPEN", "24"]
    assert text_reason(lines, curation) is None
    nothing = text_reason([line("A", 0.99), line("guess", 0.3)], curation)
    assert nothing is not None
    assert nothing.code == Reason.NO_TEXT
    assert nothing.text == "1 characters are read with a confidence of 0.5, fewer than 2 (best line: 0.99)"
    foreign = text_reason([line("营业中", 0.99)], curation)
    assert foreign is not None
    assert foreign.code == Reason.NOT_ENGLISH


@pytest.mark.parametrize(
    "text",
    ["a man walks his dog in the park", "red car", "Café de Flore in Paris at night", "2024", "", "OPEN ALL NIGHT"],
)
def test_english(text: str):
    assert is_english(text)


@pytest.mark.parametrize(
    "text",
    [
        "der Mann geht mit dem Hund in den Park",
        "un homme marche dans la rue",
        "El hombre y la mujer en la playa",
        "Uma mulher na praia com seu cão",
        "un uomo con il cane nella piazza",
        "de hond loopt in het park",
        "红色的车",
        "красная машина",
        "red 红色的车",
    ],
)
def test_not_english(text: str):
    assert not is_english(text)


def test_every_rule_about_facts_is_one_that_may_reject() -> None:
    assert tuple(image_rules._RULES) == RULES_ABOUT_FACTS
    assert {*image_rules.ORDER} <= {*DECIDERS}
