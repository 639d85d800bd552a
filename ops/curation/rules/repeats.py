"""Of what shows the same only the best stays: clips or pictures, by their perceptual hashes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ops.catalogue.reasons import Reason
from ops.curation.rules.decisions import still_in, with_rejections
from ops.curation.rules.near_hashes import leaders
from ops.curation.rules.reasons import Rejection
from ops.curation.scorers.phash import from_text

STEP = "near_duplicates"
Hashes = Sequence[str]
Originals = Callable[[pa.Table], np.ndarray]


def with_hashes(table: pa.Table, found: Mapping[int, Hashes], made_by: str) -> pa.Table:
    """The table with these hashes, by row, and what made them."""
    column: list[Hashes | None] = [None] * len(table)
    for row, hashes in found.items():
        column[row] = hashes
    hashes_of_all = pa.array(column, pa.list_(pa.string()))
    scorer = pc.if_else(pc.is_valid(hashes_of_all), pa.scalar(made_by), pa.scalar(None, pa.string()))
    return table.append_column("perceptual_hash", hashes_of_all).append_column("near_duplicates_scorer", scorer)


def originals(table: pa.Table, best_first: np.ndarray, max_distance: int) -> np.ndarray:
    """For each row the number of the better row that it repeats, which itself repeats none; its own if there is none.
    Every row must have hashes; `best_first` are the numbers of all rows."""
    found = np.empty(len(table), dtype=int)
    hashes = from_text(table["perceptual_hash"].to_pylist())
    found[best_first] = best_first[leaders(hashes[best_first], max_distance)]
    return found


def without_repeats(
    table: pa.Table, original: Originals, name: str, described: Callable[[pa.Table, int], str]
) -> pa.Table:
    """The table in which every row that repeats another is rejected, and points to it in `duplicate_of`.

    `original` finds, among the rows still in, the one that each repeats; `name` is the column it is pointed to by, and
    `described` tells what it is.
    """
    places = np.flatnonzero(still_in(table))
    left = table.take(pa.array(places))
    better, names = original(left), left[name]
    pointers: list[str | None] = [None] * len(table)
    told = {}
    for row in np.flatnonzero(better != np.arange(len(left))):
        first = int(better[row])
        pointers[places[row]] = names[first].as_py()
        sentence = f"shows the same as {described(left, first)}"
        told[int(places[row])] = Rejection(Reason.NEAR_DUPLICATE, sentence)
    table = table.append_column("duplicate_of", pa.array(pointers, pa.string()))
    return with_rejections(table, STEP, told)
