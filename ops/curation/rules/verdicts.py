"""Keeping, rejecting and counting: the words in which every step gives its verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow.compute as pc

from ops.catalogue.reasons import Reason
from ops.curation.rules.reasons import Rejection
from ops.exit_codes import NothingKept
from ops.runtime import tables
from ops.runtime.parallel import Failure
from ops.runtime.tables import Row


def judged(row: Row, step: str, verdict: Rejection | Failure | None, **columns: object) -> Row:
    """The row with this step's columns and, if it is out, why."""
    if isinstance(verdict, Failure):
        verdict = Rejection(Reason(verdict.code), verdict.reason)
    if verdict is None:
        return {**row, **columns}
    return {**row, **columns, "rejected_by": step, **verdict.columns()}


class FirstOfEqual:
    """Of equal files the first in order stays; a few bytes are remembered of each."""

    def __init__(self, step: str, path: Callable[[int], str]) -> None:
        """`path` tells that of the file that was the n-th to be judged."""
        self._step, self._path, self._judged = step, path, 0
        self._first: dict[bytes, int] = {}

    def __call__(self, row: Row) -> Row:
        """The next row, rejected if it is the same file as one before it."""
        self._judged += 1
        if row["rejected_by"] is not None:
            return row
        first = self._first.setdefault(bytes.fromhex(row["sha256"])[:16], self._judged - 1)
        if first == self._judged - 1:
            return row
        return judged(row, self._step, Rejection(Reason.DUPLICATE, f"duplicate of {self._path(first)}"))


def demand_some_kept(table: Path, what: str) -> None:
    """Raise `NothingKept`, with the funnel and one example of each step, if every row of the table was rejected."""
    verdicts = tables.read_columns(table, ["path", "rejected_by", "reason"])
    if not len(verdicts) or verdicts["rejected_by"].null_count:
        return
    counted = pc.value_counts(verdicts["rejected_by"]).to_pylist()
    counts = Counter({each["values"]: each["counts"] for each in counted})
    lines = [f"all {len(verdicts)} {what} were rejected:"]
    for step, count in counts.most_common():
        (example,) = verdicts.slice(pc.index(verdicts["rejected_by"], step).as_py(), 1).to_pylist()
        lines.append(f"  {step}: {count}, for example {example['path']}: {example['reason']}")
    lines.append(f"Every row with its reason is in {table}; change the rules under 'curation', or the sources.")
    raise NothingKept("\n".join(lines))
