"""A table of clips or images by verdict: how many rows have each, how long they last, and a few to be shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import nsmallest
from pathlib import Path

import numpy as np

from ops.catalogue.reasons import MEANINGS
from ops.curation.audit.retention import place
from ops.curation.audit.sample import KEPT, rank
from ops.curation.runs.funnel import SPAN, lengths, without_number
from ops.runtime import tables
from ops.runtime.tables import Row

SENTENCES = 2
"""That are remembered of a group: whether there is more than one."""


@dataclass
class VerdictGroup:
    """Rows of one verdict; `step` is the one that rejected them, or `kept`."""

    step: str
    code: str | None = None
    rows: int = 0
    seconds: float = 0.0
    _first: tuple[int, int] = (0, 0)
    _sentences: set[str] = field(default_factory=set)
    _drawn: list[tuple[bytes, int]] = field(default_factory=list)

    @property
    def title(self) -> str:
        """What all its rows share."""
        if self.step == KEPT:
            return "Kept"
        shared = next(iter(self._sentences)) if len(self._sentences) == 1 else MEANINGS[str(self.code)]
        return f"Rejected at {self.step.replace('_', ' ')}: {shared}"

    def shown(self, table: Path, most: int) -> list[Row]:
        """Up to as many of its rows as `verdict_groups` was told, drawn at random."""
        return tables.rows_at(table, [number for _, number in nsmallest(most, self._drawn)])

    def add(self, number: int, drawn: bytes, sentence: str, most: int) -> None:
        self.rows += 1
        if len(self._sentences) < SENTENCES:
            self._sentences.add(sentence)
        self._drawn.append((drawn, number))
        if len(self._drawn) > 4 * most:
            self._drawn = nsmallest(most, self._drawn)

    def join(self, other: VerdictGroup) -> None:
        self.rows += other.rows
        self.seconds += other.seconds
        self._drawn += other._drawn


def verdict_groups(
    table: Path, key: str, seed: int, most: int, order: Callable[[str], int] = place
) -> dict[str, VerdictGroup]:
    """Title → the rows that it is of: the kept ones, then the rejected ones by step and reason, in the order of the
    funnel. Up to `most` of each are drawn, by `seed` and their `key`.

    A reason is a code, and what its rows share is its title: their sentence, if they have one but for the number in
    it, or else what the code means. Captions and errors are told in sentences, too, and no two are alike.
    """
    known, found, at = set(tables.names_of(table)), dict[tuple[str, str], VerdictGroup](), 0
    span = [name for name in SPAN if set(SPAN) <= known]
    names = [name for name in (key, "rejected_by", "reason_code", "reason", *span) if name in known]
    for part in tables.parts(table, names, tables.BATCH):
        seconds = np.nan_to_num(lengths(part)).tolist() if span else [0.0] * len(part)
        for number, (row, lasts) in enumerate(zip(part.to_pylist(), seconds, strict=True), start=at):
            step, code, sentence = row["rejected_by"] or KEPT, row.get("reason_code"), without_number(row["reason"])
            name = (step, "") if step == KEPT else (step, code or sentence)
            group = found.setdefault(name, VerdictGroup(step, code, _first=(order(step), number)))
            group.add(number, rank(row[key], seed), sentence, most)
            group.seconds += lasts
        at += len(part)
    named: dict[str, VerdictGroup] = {}
    for group in sorted(found.values(), key=lambda group: (group.step != KEPT, group._first)):
        if group.title in named:
            named[group.title].join(group)
        else:
            named[group.title] = group
    return named
