"""A suite of expectations, asked of a table that comes in parts, as if it had come as one.

What is expected of each row is asked of each part: first whether it holds, and only where it does not, which rows are
against it. What is expected of all rows together (that none has the id of another, or how many have a caption) is asked
of the columns that it is about, of which alone a whole table is held.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from ops.data.expectation_suites import Suite
from ops.data.validation import Failure
from ops.runtime.files import Document
from ops.runtime.project import Project

if TYPE_CHECKING:
    import pandas as pd
    from great_expectations.expectations import Expectation as GxExpectation

LISTED = 50
"""At most so many offending ids are written out for a failed expectation; the count is always whole."""
EXAMPLES = 5
_WHICH: dict[str, object] = {"result_format": "COMPLETE"}
"""Asks Great Expectations for every row that is against an expectation."""


@dataclass
class Outcome:
    """Of one expectation, over all parts. An example is what a person finds a row by, and what it holds."""

    expectation: str
    column: str | None
    passed: bool = True
    observed: object = None
    count: int = 0
    ids: list[object] = field(default_factory=list)
    examples: list[dict[str, object]] = field(default_factory=list)

    def failure(self) -> Failure:
        return {
            "expectation": self.expectation,
            "column": self.column,
            "observed": self.observed,
            "count": self.count,
            "ids": self.ids,
            "examples": self.examples,
        }

    def add(self, result: Document, frame: pd.DataFrame, id_column: str) -> None:
        """One that was not met, asked of these rows."""
        found = result["result"]
        against = found.get("unexpected_index_list") or []
        self.passed = False
        self.count += found.get("unexpected_count", 1)
        if self.observed is None:
            self.observed = found.get("observed_value", (found.get("partial_unexpected_list") or [None])[:EXAMPLES])
        self.ids += [entry[id_column] for entry in against[: LISTED - len(self.ids)]]
        told = against[: EXAMPLES - len(self.examples)]
        self.examples += [{**_whereabouts(frame, id_column, entry[id_column]), **entry} for entry in told]


@dataclass
class Measured:
    """How many rows there are, and of columns of numbers their range and mean."""

    columns: Sequence[str]
    rows: int = 0
    _sums: dict[str, list[float]] = field(default_factory=dict)

    def add(self, frame: pd.DataFrame) -> None:
        self.rows += len(frame)
        for column in self.columns:
            values = frame[column].dropna().astype(float)
            if len(values):
                low, total, count, high = self._sums.get(column, [float("inf"), 0.0, 0, float("-inf")])
                found = [min(low, values.min()), total + values.sum(), count + len(values), max(high, values.max())]
                self._sums[column] = [float(each) for each in found]

    def statistics(self) -> dict[str, object]:
        ranges = {
            column: {"min": round(low, 6), "mean": round(total / count, 6), "max": round(high, 6)}
            for column, (low, total, count, high) in self._sums.items()
        }
        return {"rows": self.rows, **{column: ranges[column] for column in self.columns if column in ranges}}


class _Question:
    """An expectation, what it is about, and what has become of it so far."""

    def __init__(self, expectation: GxExpectation) -> None:
        kwargs = expectation.configuration.kwargs
        self.expectation = expectation
        self.key = _identity(expectation.configuration.type, kwargs)
        names = (kwargs.get(name) for name in ("column", "column_A", "column_B"))
        self.columns = [name for name in names if name] + list(kwargs.get("column_list", ()))
        self.outcome = Outcome(_told(expectation), self.columns[0] if self.columns else None)
        self.kept: list[object] = []
        """Of each part, for an expectation of all rows together: its columns or, of keys, these."""

    @property
    def of_keys(self) -> bool:
        """Whether no two rows may have the same in its columns."""
        return "unique" in self.expectation.configuration.type

    @property
    def of_each_row(self) -> bool:
        from great_expectations.expectations.expectation import ColumnMapExpectation, ColumnPairMapExpectation

        return isinstance(self.expectation, ColumnMapExpectation | ColumnPairMapExpectation) and not self.of_keys


def run(suite: Suite, project: Project) -> tuple[list[Outcome], dict[str, object]]:
    """What became of each expectation, and the statistics of the rows.

    Raises:
        RuntimeError: an expectation could not be evaluated.
    """
    ask, measured = _Engine(suite.id), Measured(suite.measured)
    questions = [_Question(each) for each in suite.expectations(project.settings)]
    of_each_row = [each for each in questions if each.of_each_row]
    of_keys = [each for each in questions if each.of_keys]
    of_all = [each for each in questions if not (each.of_each_row or each.of_keys)]
    for frame in suite.frames(project):
        measured.add(frame)
        ask.each_row(of_each_row, frame)
        for each in of_keys:
            each.kept.append(_keys(frame, each.columns))
        for each in of_all:
            each.kept.append(frame[each.columns])
    for each in of_all:
        ask.all_rows(each)
    for each in of_keys:
        _find_repeated(each, suite, project, ask)
    return [each.outcome for each in questions], measured.statistics()


class _Engine:
    """Great Expectations, which takes data frames."""

    def __init__(self, id_column: str) -> None:
        os.environ["GX_ANALYTICS_ENABLED"] = "false"
        import great_expectations as gx
        from great_expectations.data_context.types.base import ProgressBarsConfig

        self._gx, self._id = gx, id_column
        self._context = gx.get_context(mode="ephemeral")
        self._context.variables.progress_bars = ProgressBarsConfig(globally=False)

    def each_row(self, questions: Sequence[_Question], frame: pd.DataFrame) -> None:
        """Which rows are against an expectation is asked only where some are: it takes twice as long."""
        asked = {self._id, *(name for each in questions for name in each.columns)}
        narrow = frame[[name for name in frame.columns if name in asked]]
        plain = self._results(questions, narrow, {"result_format": "BASIC"})
        against = [each for each in questions if not plain[each.key]["success"]]
        self.which_rows(against, narrow, frame)

    def which_rows(self, questions: Sequence[_Question], narrow: pd.DataFrame, frame: pd.DataFrame) -> None:
        """Note the rows that are against these."""
        if questions:
            found = self._results(questions, narrow, _WHICH | {"unexpected_index_column_names": [self._id]})
            for each in questions:
                if not found[each.key]["success"]:
                    each.outcome.add(found[each.key], frame, self._id)

    def all_rows(self, question: _Question) -> None:
        import pandas as pd

        whole = pd.concat(question.kept, ignore_index=True)
        found = self._results([question], whole, _WHICH)[question.key]
        if not found["success"]:
            question.outcome.add(found, whole, self._id)

    def _results(
        self, questions: Sequence[_Question], frame: pd.DataFrame, result_format: dict[str, object]
    ) -> dict[str, Document]:
        batch = self._context.data_sources.pandas_default.read_dataframe(frame)
        suite = self._gx.ExpectationSuite(name="suite", expectations=[each.expectation for each in questions])
        # through JSON: NumPy scalars, which its own rendering trips over, become plain numbers
        results = batch.validate(suite, result_format=result_format).to_json_dict()["results"]
        found = {
            _identity(each["expectation_config"]["type"], each["expectation_config"]["kwargs"]): each
            for each in results
        }
        for each in questions:
            if message := _exception(found[each.key]):
                raise RuntimeError(f"the expectation {each.outcome.expectation} could not be evaluated: {message}")
        return found


def _find_repeated(question: _Question, suite: Suite, project: Project, ask: _Engine) -> None:
    """Count the rows whose key another one has, and note those of the first such keys."""
    import pandas as pd

    keys = pa.chunked_array(question.kept, pa.string()).drop_null()
    question.kept.clear()
    if pc.count_distinct(keys).as_py() == len(keys):
        return
    counted = pc.value_counts(keys)
    repeated = counted.filter(pc.greater(counted.field("counts"), 1))
    wanted = repeated.field("values").slice(0, LISTED)
    rows = [
        frame[pc.is_in(_keys(frame, question.columns), value_set=wanted).to_numpy(zero_copy_only=False)]
        for frame in suite.frames(project)
    ]
    some = pd.concat(rows, ignore_index=True)
    ask.which_rows([question], some, some)
    question.outcome.count = pc.sum(repeated.field("counts")).as_py()


def _keys(frame: pd.DataFrame, columns: Sequence[str]) -> pa.Array:
    """What no two rows may have in common; null where nothing is there."""
    parts = [pa.array(frame[name], from_pandas=True).cast(pa.string()) for name in columns]
    if len(parts) == 1:
        return parts[0]
    joined = pc.binary_join_element_wise(*(pc.fill_null(part, "\0") for part in parts), "\n")
    nothing = pa.array(frame[list(columns)].isna().all(axis=1).to_numpy())
    return pc.if_else(nothing, None, joined)


def _identity(kind: str, kwargs: dict[str, object]) -> str:
    """By which a result finds its expectation: they come back in another order."""
    return json.dumps([kind, {name: value for name, value in kwargs.items() if name != "batch_id"}], sort_keys=True)


def _exception(result: Document) -> str | None:
    info = result.get("exception_info") or {}
    infos = [info] if "raised_exception" in info else list(info.values())
    return next((each["exception_message"] for each in infos if each.get("raised_exception")), None)


def _told(expectation: GxExpectation) -> str:
    """The expectation as a line: its note where it has one, else its type and arguments."""
    if notes := expectation.notes:
        return notes if isinstance(notes, str) else " ".join(notes)
    return _identity(expectation.configuration.type, expectation.configuration.kwargs)


def _whereabouts(frame: pd.DataFrame, id_column: str, value: object) -> dict[str, object]:
    """The file that a row is about, where the table names it, and the row's id."""
    if "path" not in frame:
        return {id_column: value}
    paths = frame.loc[frame[id_column] == value, "path"].dropna().tolist()
    return {**({"path": str(paths[0])} if paths else {}), id_column: value}
