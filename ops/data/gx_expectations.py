"""What columns expect, in the terms of Great Expectations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ops.catalogue.lists import LISTS
from ops.runtime.columns import Between, Column, Expectation, Holds, Lacks, Listed, Matches, OneOf, There
from ops.runtime.tables import Row

if TYPE_CHECKING:
    import pandas as pd
    from great_expectations.expectations import Expectation as GxExpectation


def expectations_of(columns: Iterable[Column]) -> list[GxExpectation]:
    return [expectation(column.name, each) for column in columns for each in column.expectation]


def expectation(column: str, expected: Expectation) -> GxExpectation:
    match expected:
        case There():
            return there(column)
        case Between(notes, minimum, maximum):
            return between(column, notes, minimum, maximum)
        case Matches(regex, notes):
            return matches(column, regex, notes)
        case Lacks(regex, notes):
            return lacks(column, regex, notes)
        case OneOf(values, notes):
            return one_of(column, [*values], notes)
        case Listed(name, notes):
            return one_of(column, [*LISTS[name]], notes)
        case Holds(name, notes):
            return true(name, notes)


def with_checks(frame: pd.DataFrame, columns: Iterable[Column]) -> pd.DataFrame:
    """The rows with a column of true and false for each check of these columns."""
    checks = [each for column in columns for each in column.expectation if isinstance(each, Holds)]
    if not checks:
        return frame
    rows: list[Row] = [
        {key: None if _is_nan(value) else value for key, value in row.items()} for row in frame.to_dict("records")
    ]
    return frame.assign(**{each.name: [each.check(row) for row in rows] for each in checks})


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and value != value


def there(column: str) -> GxExpectation:
    import great_expectations.expectations as gxe

    return gxe.ExpectColumnValuesToNotBeNull(column=column, notes=f"{column} is there")


def between(column: str, notes: str, minimum: float | None = None, maximum: float | None = None) -> GxExpectation:
    import great_expectations.expectations as gxe

    return gxe.ExpectColumnValuesToBeBetween(column=column, notes=notes, min_value=minimum, max_value=maximum)


def matches(column: str, regex: str, notes: str) -> GxExpectation:
    import great_expectations.expectations as gxe

    return gxe.ExpectColumnValuesToMatchRegex(column=column, regex=regex, notes=notes)


def lacks(column: str, regex: str, notes: str) -> GxExpectation:
    import great_expectations.expectations as gxe

    return gxe.ExpectColumnValuesToNotMatchRegex(column=column, regex=regex, notes=notes)


def one_of(column: str, values: list[object], notes: str) -> GxExpectation:
    import great_expectations.expectations as gxe

    return gxe.ExpectColumnValuesToBeInSet(column=column, value_set=values, notes=notes)


def true(column: str, notes: str) -> GxExpectation:
    return one_of(column, [True], notes)


def unique(*columns: str, notes: str = "") -> GxExpectation:
    """Of one column, or of several together."""
    import great_expectations.expectations as gxe

    if len(columns) == 1:
        return gxe.ExpectColumnValuesToBeUnique(column=columns[0], notes=notes or f"{columns[0]} is unique")
    return gxe.ExpectCompoundColumnsToBeUnique(column_list=list(columns), notes=notes)
