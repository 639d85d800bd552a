"""Keeping, rejecting and counting: the words in which every step gives its verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

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


def reject_duplicates(rows: Sequence[Row], step: str) -> list[Row]:
    """Of equal files the first in order stays."""
    first: dict[str, str] = {}
    out = []
    for row in rows:
        if row["rejected_by"] is None and row["sha256"] in first:
            row = judged(row, step, Rejection(Reason.DUPLICATE, f"duplicate of {first[row['sha256']]}"))
        elif row["rejected_by"] is None:
            first[row["sha256"]] = row["path"]
        out.append(row)
    return out


def demand_some_kept(table: Path, what: str) -> None:
    """Raise `NothingKept`, with the funnel and one example of each step, if every row of the table was rejected."""
    verdicts = tables.read_columns(table, ["path", "rejected_by", "reason"])
    if not len(verdicts) or verdicts["rejected_by"].null_count:
        return
    rows = verdicts.to_pylist()
    counts = Counter(row["rejected_by"] for row in rows)
    lines = [f"all {len(rows)} {what} were rejected:"]
    for step, count in counts.most_common():
        example = next(row for row in rows if row["rejected_by"] == step)
        lines.append(f"  {step}: {count}, for example {example['path']}: {example['reason']}")
    lines.append(f"Every row with its reason is in {table}; change the rules under 'curation', or the sources.")
    raise NothingKept("\n".join(lines))
