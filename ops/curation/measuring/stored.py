"""The scores that the store has of the rows of a table, a million at a time."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ops.catalogue import Kind, RawScore
from ops.curation.measuring.scores import ScoreStore
from ops.curation.rules.decisions import joined

_AT_ONCE = 65_536
Number = Callable[[RawScore], float | None]


class Stored(NamedTuple):
    rows: np.ndarray
    """int64: the rows of the table whose score is there, in order,"""
    scores: pa.Table
    """those scores (columns `number` and `value`, see `ScoreStore.column`),"""
    missing: np.ndarray
    """int64: and the rows whose score is not."""

    def numbers(self, number: Number = float) -> np.ndarray:
        """float64 [rows]; `number` makes one of a raw score that is none yet, and nan stands for its None."""
        found: np.ndarray = self.scores["number"].to_numpy().copy()
        written = np.flatnonzero(pc.is_valid(self.scores["value"]).to_numpy())
        texts = joined(self.scores["value"]).take(pa.array(written)).to_pylist()
        found[written] = [or_nan(number(json.loads(text))) for text in texts]
        return found

    def lists(self, rows: int) -> pa.ChunkedArray:
        """list<string> [rows]: the raw scores of a step whose scores are lists of texts, null where there is none."""
        kind, parts = pa.list_(pa.string()), []
        for start in range(0, len(self.scores), _AT_ONCE):
            texts = self.scores["value"].slice(start, _AT_ONCE).to_pylist()
            parts.append(pa.array(map(json.loads, texts), kind))
        place = np.full(rows, -1)
        place[self.rows] = np.arange(len(self.rows))
        return pa.chunked_array(parts, kind).take(pa.array(place, mask=place < 0))

    def values(self) -> dict[int, RawScore]:
        """{row: raw score}, of a step whose scores are no numbers."""
        return dict(zip(self.rows.tolist(), map(json.loads, self.scores["value"].to_pylist()), strict=True))


def stored(
    store: ScoreStore, step: str, identity: object, subjects: pa.ChunkedArray, chosen: np.ndarray, kind: Kind = "video"
) -> Stored:
    """What the store has of this step and identity of the rows of `chosen` (bool [rows]); `subjects` are of all rows.

    All of the step is read at once, so that a million rows take seconds.
    """
    known = store.column(step, identity, kind)
    rows = np.flatnonzero(chosen)
    place = pc.index_in(joined(subjects).take(pa.array(rows)), value_set=joined(known["subject"]))
    there = pc.is_valid(place).to_numpy(zero_copy_only=False)
    scores = known.select(["number", "value"]).take(place.filter(pa.array(there)))
    return Stored(rows[there], scores, rows[~there])


def or_nan(number: float | None) -> float:
    return np.nan if number is None else number
