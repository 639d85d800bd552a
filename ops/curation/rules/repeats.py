"""Of what shows the same only the best stays: clips or pictures, by their perceptual hashes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ops.catalogue.reasons import Reason
from ops.curation.rules.decisions import still_in, with_rejections
from ops.curation.rules.near_hashes import leaders
from ops.curation.rules.reasons import Rejection
from ops.curation.scorers.phash import from_text

STEP = "near_duplicates"
_AT_ONCE = 65_536
Originals = Callable[[pa.Table], np.ndarray]


def with_hashes(table: pa.Table, hashes: pa.ChunkedArray, made_by: str) -> pa.Table:
    """The table with these hashes (list<string> [rows], null where there are none), and what made them."""
    scorer = pc.if_else(pc.is_valid(hashes), pa.scalar(made_by), pa.scalar(None, pa.string()))
    return table.append_column("perceptual_hash", hashes).append_column("near_duplicates_scorer", scorer)


def originals(table: pa.Table, best_first: np.ndarray, max_distance: int) -> np.ndarray:
    """For each row the number of the better row that it repeats, which itself repeats none; its own if there is none.
    Every row must have hashes; `best_first` are the numbers of all rows."""
    found = np.empty(len(table), dtype=int)
    found[best_first] = best_first[leaders(_numbers(table["perceptual_hash"])[best_first], max_distance)]
    return found


def _numbers(hashes: pa.ChunkedArray) -> np.ndarray:
    """uint64 [rows, places]"""
    parts = (hashes.slice(start, _AT_ONCE) for start in range(0, max(len(hashes), 1), _AT_ONCE))
    return np.concatenate([from_text(part.to_pylist()) for part in parts])


def as_bytes(column: pa.ChunkedArray) -> np.ndarray:
    """Texts of letters and digits as NumPy sorts them: bytes [rows]."""
    parts = (column.slice(start, _AT_ONCE) for start in range(0, max(len(column), 1), _AT_ONCE))
    return np.concatenate([np.array(part.to_pylist(), np.bytes_) for part in parts])


def without_repeats(
    table: pa.Table,
    original: Originals,
    name: str,
    described: Callable[[pa.Table, int], str],
    compared: Sequence[str],
) -> pa.Table:
    """The table in which every row that repeats another is rejected, and points to it in `duplicate_of`.

    `original` finds, among the rows still in, the one that each repeats; `name` is the column it is pointed to by, and
    `described` tells what it is. Both see the columns `compared` alone.
    """
    inside = still_in(table)
    places, left = np.flatnonzero(inside), table.select(list(compared)).filter(pa.array(inside))
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
