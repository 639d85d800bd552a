"""How well cuts are found on real videos, joined at known frames: the benchmark's own measurement, made small."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ops.runtime import parallel

pytestmark = pytest.mark.slow

HARD, WITHOUT_CUTS = "hard cuts", ("flashes of one frame", "pans", "static")


@pytest.fixture(scope="module")
def tallies(shared_weights: Path, checkout: Path) -> Iterator[dict[str, Any]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(checkout)
        patch.setenv("SORAFLOW_WEIGHTS", str(shared_weights))
        patch.setenv("SORAFLOW_PROJECT", "undone when the test ends")
        from benchmarks import cut_quality
        from benchmarks.curation import in_turn

        patch.setattr(parallel, "map", in_turn)  # starting processes takes longer than their work
        patch.setitem(cut_quality.RECIPE, "shots", {"short_side": 96})
        yield cut_quality.measure((HARD, *WITHOUT_CUTS, cut_quality.AS_FILMED), 2)["soraflow"]


def test_hard_cuts_between_sources_are_found_to_the_frame(tallies: dict[str, Any]) -> None:
    assert tallies[HARD].there == 14
    assert tallies[HARD].f1 >= 0.95


def test_a_film_is_taken_apart_as_it_was_put_together(tallies: dict[str, Any]) -> None:
    filmed = tallies["bikes.mp4, as it was filmed"]
    assert (filmed.there, filmed.found, filmed.right) == (5, 5, 5)


@pytest.mark.parametrize("kind", WITHOUT_CUTS)
def test_nothing_is_found_where_no_cut_is(tallies: dict[str, Any], kind: str) -> None:
    assert (tallies[kind].there, tallies[kind].found) == (0, 0)
