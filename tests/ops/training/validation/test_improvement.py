from __future__ import annotations

import math
from pathlib import Path

import pytest

from ops.training.validation.improvement import Improvement

ITEMS = {"a1": "a", "a2": "a", "b1": "b", "c1": "c"}


def test_the_gain_is_of_items_and_positive_for_better() -> None:
    loss = Improvement(ITEMS, higher_is_better=False)
    assert loss.figures({"a1": 1.0, "a2": 3.0, "b1": 4.0, "c1": 9.0}) == {}
    found = loss.figures({"a1": 0.5, "a2": 2.5, "b1": 3.0, "c1": 9.0})
    assert found["gain"] == pytest.approx(0.5)  # of 0.5, 1 and 0
    assert found["gain_error"] == pytest.approx(0.5 / math.sqrt(3))
    psnr = Improvement(ITEMS, higher_is_better=True)
    psnr.figures({"b1": 20.0, "c1": 30.0})
    assert psnr.figures({"b1": 21.0, "c1": 31.0}) == {"gain": 1.0, "gain_error": 0.0}


def test_what_is_infinite_or_was_not_seen_at_first_does_not_count() -> None:
    psnr = Improvement(ITEMS, higher_is_better=True)
    psnr.figures({"a1": 20.0, "b1": 30.0})
    assert psnr.figures({"a1": 22.0, "b1": math.inf, "c1": 99.0}) == {}


def test_a_resumed_training_compares_with_the_same_beginning(tmp_path: Path) -> None:
    before, after = Improvement(ITEMS, True), Improvement(ITEMS, True)
    before.figures({"a1": 20.0, "b1": 30.0})
    for name, write in before.files().items():
        write(tmp_path / name)
    after.restore(tmp_path)
    values = {"a1": 21.0, "b1": 33.0}
    assert before.figures(values) == after.figures(values) != {}
