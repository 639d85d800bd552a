"""What `soraflow generate` is told of given frames, before anything is looked at."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops.config import WronglyCalled
from pipelines.terminal.generation import Asked

FILE = Path(__file__)


def test_each_way_of_giving_frames() -> None:
    ways = {
        "i2v": Asked(image=FILE),
        "transition": Asked(first=FILE, last=FILE),
        "continuation": Asked(continued=FILE, count=9),
    }
    for mask, asked in ways.items():
        given = asked.given()
        assert given is not None
        assert (given.mask, given.count) == (mask, asked.count)
        assert {file.path for file in given.files} == {FILE}
    assert Asked().given() is None


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (Asked(image=FILE, first=FILE), "--image as well as --first and --last say which frames are given"),
        (Asked(image=FILE, continued=FILE), "--image as well as --continue"),
        (Asked(first=FILE), "--last is missing: a transition has both; for a first frame alone there is --image"),
        (Asked(last=FILE), "--first is missing"),
        (Asked(count=5), "it goes with --continue alone"),
        (Asked(image=FILE, count=5), "it goes with --continue alone"),
    ],
)
def test_options_that_contradict_each_other_are_refused(asked: Asked, message: str) -> None:
    with pytest.raises(WronglyCalled, match=message):
        asked.given()
