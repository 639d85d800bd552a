from __future__ import annotations

import pytest

from ops.curation.audit.precision import Estimate, estimate, precision
from ops.curation.audit.verdict_store import Entry
from ops.statistics.wilson import wilson


def test_no_verdict_is_no_precision() -> None:
    assert estimate([]) == Estimate(0, 0, None, None, None)
    assert str(estimate([])) == "none judged yet"


def test_equal_weights_are_wilsons_interval() -> None:
    found = estimate([(7.0, True)] * 8 + [(7.0, False)] * 2)
    assert (found.right, found.judged, found.share) == (8, 10, pytest.approx(0.8))
    assert (found.low, found.high) == pytest.approx(wilson(8, 10))
    assert str(found) == "80% [49%, 94%], 8 of 10"


def test_a_clip_counts_for_as_many_as_it_stands_for() -> None:
    """90 clips out for motion, all rightly; 10 for aesthetics, none rightly: 90 % are right, not half."""
    verdicts: list[tuple[str, Entry]] = [("motion", "reject")] * 5 + [("aesthetics", "accept")] * 5
    found = precision({"motion": 90, "aesthetics": 10}, verdicts)
    assert found["rejected"].share == pytest.approx(0.9)
    assert found["motion"].share == 1.0
    assert found["aesthetics"].share == 0.0
    assert found["rejected"].low is not None
    assert found["rejected"].low < wilson(9, 10)[0]  # uneven weights tell less than ten equal ones
    assert found["kept"] == Estimate(0, 0, None, None, None)


def test_the_filter_is_right_where_it_and_the_person_agree() -> None:
    verdicts: list[tuple[str, Entry]] = [("kept", "accept"), ("kept", "reject"), ("shots", "reject")]
    found = precision({"kept": 4, "shots": 3, "motion": 1}, verdicts)
    assert (found["kept"].right, found["kept"].judged) == (1, 2)
    assert (found["rejected"].right, found["rejected"].judged) == (1, 1)
    assert found["motion"].share is None
