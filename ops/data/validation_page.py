"""A validation as one Markdown page for a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def page(validation: Mapping[str, Any]) -> str:
    failures = {failure["expectation"]: failure for failure in validation["failures"]}
    verdict = "passed" if validation["passed"] else f"{len(failures)} of {len(validation['expectations'])} failed"
    lines = [
        f"# {validation['name']}: {verdict}",
        "",
        f"Version `{validation['version'] or 'not committed'}`, {validation['statistics']['rows']} rows.",
        "",
        "| | expectation | rows against it | for example |",
        "| --- | --- | --- | --- |",
    ]
    for expectation in validation["expectations"]:
        failure = failures.get(expectation)
        count, ids = (failure["count"], failure["ids"][:5]) if failure else ("", [])
        named = ", ".join(f"`{each}`" for each in ids)
        lines.append(f"| {'✗' if failure else '✓'} | {expectation} | {count} | {named} |")
    lines += ["", "| column | min | mean | max |", "| --- | --- | --- | --- |"]
    for column, value in validation["statistics"].items():
        if isinstance(value, Mapping):
            lines.append(f"| {column} | {value['min']:g} | {value['mean']:g} | {value['max']:g} |")
    return "\n".join(lines) + "\n"
