"""A validation in Markdown for a person: what failed, which rows, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from ops.data.blocking_checks import BLOCKING_CHECKS
from ops.data.validation import Failure, Validation

LONGEST_VALUE = 80
RANGE = ("min", "mean", "max")
BAR = r"\|"
"""A bar within a cell."""


def page(validation: Validation) -> str:
    """All of it, as it lies in `var/checks/`."""
    counts = {failure["expectation"]: failure["count"] for failure in validation.failures}
    lines = [f"# {validation.name}: {_verdict(validation)}", "", *failed(validation)]
    told = (("✗" if each in counts else "✓", each, counts.get(each, "")) for each in validation.expectations)
    lines += ["## All expectations", "", *_table(("", "expectation", "rows against it"), told), ""]
    measured = validation.statistics.items()
    ranges = ((name, *(f"{of[key]:g}" for key in RANGE)) for name, of in measured if isinstance(of, Mapping))
    return "\n".join([*lines, *_table(("column", *RANGE), ranges)]) + "\n"


def report(validation: Validation) -> str:
    """What failed and what to do; one line where nothing did."""
    return "\n".join([f"**{_verdict(validation)}**", "", *failed(validation)]).rstrip() + "\n"


def failed(validation: Validation) -> Iterator[str]:
    """The lines about each expectation that failed."""
    for failure in validation.failures:
        yield from (f"### {failure['expectation']}", "", _extent(failure, validation.statistics["rows"]), "")
        if examples := failure.get("examples"):
            yield from (*_examples(examples), "")
    if validation.failures:
        yield from ("### What to do", "", *_remedies(validation), "")


def _verdict(validation: Validation) -> str:
    failures, of = len(validation.failures), len(validation.expectations)
    verdict = f"{failures} of {of} expectations failed" if failures else f"all {of} expectations hold"
    return f"{verdict} for {validation.statistics['rows']} rows, version {validation.version}"


def _extent(failure: Failure, rows: object) -> str:
    if failure["ids"]:
        return f"{failure['count']} of {rows} rows are against it."
    return f"What was found of the whole table: `{failure['observed']}`."


def _examples(examples: Sequence[Mapping[str, object]]) -> Iterator[str]:
    names = list(dict.fromkeys(name for example in examples for name in example))
    return _table(names, ([f"`{_short(example.get(name))}`" for name in names] for example in examples))


def _remedies(validation: Validation) -> Iterator[str]:
    step = BLOCKING_CHECKS[validation.name]
    told = " ".join(failure["expectation"] for failure in validation.failures)
    settings = list(dict.fromkeys(re.findall(r"[a-z_]+(?:\.[a-z_]+)+", told)))
    yield f"* Make the table anew: `soraflow run --select {step}`. If it was changed by hand, that mends it."
    for setting in settings:
        yield f"* If the limit is wrong and the rows are right, change the setting: `soraflow run --set {setting}=…`."
    yield (
        "* If a source file is the cause, mend it, take it out of its folder, or leave it: files that cannot be used "
        "get a reason and harm no others."
    )
    yield (
        f"* All rows against it are named in `var/checks/{validation.name}.json`. Until this passes nothing trains "
        "on the data and nothing is released that was made from it."
    )


def _table(names: Sequence[str], rows: Iterator[Sequence[object]]) -> Iterator[str]:
    yield f"| {' | '.join(names)} |"
    yield "| --- " * len(names) + "|"
    for row in rows:
        yield f"| {' | '.join(str(cell).replace('|', BAR) for cell in row)} |"


def _short(value: object) -> str:
    text = " ".join(str(value).replace("`", "'").split())
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"
