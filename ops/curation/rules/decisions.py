"""From raw scores to keep or drop, for whole tables at once: what `rules.rejection` says of each row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ops.catalogue import SCORES
from ops.catalogue.reasons import Reason
from ops.config import RULED_SCORES, Curation, Rule
from ops.curation.rules.reasons import Rejection
from ops.curation.rules.rejection import UnmeasuredScore, sentences, unmeasured
from ops.runtime.parallel import Failure

VERDICT = ("rejected_by", "reason_code", "reason")


def decide(
    table: pa.Table,
    curation: Curation,
    scores: Sequence[str] = tuple(RULED_SCORES),
    among: np.ndarray | None = None,
) -> pa.Table:
    """The table with its verdict columns as the rules about these scores have it: the first that says no rejects. With
    `among` (bool [rows]) only these rows are judged.

    Rows that another step rejected, or that could not be measured, keep their verdict. Those that a rule about one of
    these scores had rejected are judged anew, so that a whole table can be given to other rules.

    Raises:
        UnmeasuredScore: a rule needs a score that an earlier rule, now passed, had spared a row.
    """
    judged = _open(table, scores)
    verdicts = _Verdicts(table, judged if among is None else judged & among)
    for rule in curation.rules:
        if rule.score in scores:
            _apply(rule, curation, table, verdicts)
    return verdicts.table()


def with_failures(table: pa.Table, step: str, failures: Mapping[int, Failure]) -> pa.Table:
    """The table with these rows, which are still in, rejected by the step because they could not be measured."""
    told = {row: Rejection(Reason(failure.code), failure.reason) for row, failure in failures.items()}
    return with_rejections(table, step, told)


def with_rejections(table: pa.Table, step: str, told: Mapping[int, Rejection]) -> pa.Table:
    """The table with these rows, which are kept so far, rejected by the step."""
    if not told:
        return table
    verdicts = _Verdicts(table, still_in(table))
    for code in dict.fromkeys(each.code for each in told.values()):
        reasons = {row: each.text for row, each in told.items() if each.code == code}
        verdicts.reject(np.array(list(reasons)), step, code, list(reasons.values()))
    return verdicts.table()


def still_in(table: pa.Table) -> np.ndarray:
    """bool [rows]: those that nothing has rejected yet."""
    return _mask(pc.is_null(table["rejected_by"]))


def _open(table: pa.Table, scores: Sequence[str]) -> np.ndarray:
    """bool [rows]: not rejected, or only by a rule about one of the scores."""
    found = still_in(table)
    for score in scores:
        if score in table.column_names:
            had_one = pc.is_valid(table[score])
            if without := unmeasured(score):
                had_one = pc.or_(had_one, pc.fill_null(pc.equal(table["reason_code"], without.code), False))
            by_step = pc.fill_null(pc.equal(table["rejected_by"], RULED_SCORES[score].step), False)
            found |= _mask(pc.and_(by_step, had_one))
    return found


def _apply(rule: Rule, curation: Curation, table: pa.Table, verdicts: _Verdicts) -> None:
    step = RULED_SCORES[rule.score].step
    column = table[rule.score]
    values = pc.fill_null(column, np.nan).to_numpy()
    missing = np.flatnonzero(verdicts.undecided & _mask(pc.is_null(column)))
    if without := unmeasured(rule.score):
        verdicts.reject(missing, step, without.code, [without.text] * len(missing))
    elif len(missing):
        raise UnmeasuredScore(f"'{rule.score}' of {len(missing)} rows that are still in has not been measured")
    for bound, limit in rule.bounds.items():
        beyond = values < limit if bound == "minimum" else values > limit
        places = np.flatnonzero(verdicts.undecided & beyond)
        told = sentences(curation, rule, bound, values[places].tolist())
        verdicts.reject(places, step, SCORES[rule.score].beyond[bound].code, told)


class _Verdicts:
    """The verdict columns of a table while rules look at it. `undecided` rows are in so far."""

    def __init__(self, table: pa.Table, undecided: np.ndarray) -> None:
        self.undecided = undecided.copy()
        self._table = table
        self._pools = {name: [joined(table[name]), pa.nulls(1, pa.string())] for name in VERDICT}
        kept = len(table)  # where the pools hold their null
        self._places = {name: np.where(undecided, kept, np.arange(len(table))) for name in VERDICT}

    def reject(self, places: np.ndarray, step: str, code: str, reasons: list[str]) -> None:
        """Rows by number, each with its sentence."""
        if not len(places):
            return
        self.undecided[places] = False
        for name, values in (("rejected_by", [step]), ("reason_code", [str(code)]), ("reason", reasons)):
            start = sum(map(len, self._pools[name]))
            self._places[name][places] = start if len(values) == 1 else start + np.arange(len(values))
            self._pools[name].append(pa.array(values, pa.string()))

    def table(self) -> pa.Table:
        table = self._table
        for name in VERDICT:
            column = pa.concat_arrays(self._pools[name]).take(pa.array(self._places[name]))
            table = table.set_column(table.column_names.index(name), name, column)
        return table


def joined(column: pa.ChunkedArray) -> pa.Array:
    """The column as one array."""
    found = column.combine_chunks()
    return found if isinstance(found, pa.Array) else pa.concat_arrays(found.chunks)


def _mask(column: pa.ChunkedArray | pa.Array) -> np.ndarray:
    return np.asarray(column.to_numpy(zero_copy_only=False) if isinstance(column, pa.Array) else column.to_numpy())
