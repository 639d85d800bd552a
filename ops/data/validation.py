"""What became of a suite of expectations that was asked of a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict


class Failure(TypedDict):
    """An expectation that was not met."""

    expectation: str
    column: str | None
    observed: object
    count: int
    """Rows against it."""
    ids: list[object]
    """The first of them."""
    examples: list[dict[str, object]]
    """Of some what a person finds the row by, and what it holds."""


@dataclass(frozen=True)
class Validation:
    """The outcome of a suite. `version` is DVC's, of what was looked at, whether or not it has been committed;
    `statistics` are the number of `rows`, and by column the least, mean and largest number."""

    name: str
    version: str
    passed: bool
    expectations: list[str]
    failures: list[Failure]
    statistics: dict[str, object]
