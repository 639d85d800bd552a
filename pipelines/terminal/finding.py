"""One line of what `soraflow doctor` and the preflight of `soraflow run` say, and a table of such lines."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from rich.markup import escape
from rich.table import Table

MARKS = {"ok": "[green]✓[/]", "note": "[yellow]•[/]", "wrong": "[red]✗[/]"}


@dataclass(frozen=True)
class Finding:
    state: Literal["ok", "note", "wrong"]
    about: str
    what: str
    remedy: str = ""


def table(findings: Iterable[Finding]) -> Table:
    made = Table(box=None, show_header=False, padding=(0, 1))
    for _ in range(3):
        made.add_column(overflow="fold")
    for finding in findings:
        remedy = f"\n[dim]{escape(finding.remedy)}[/]" if finding.remedy else ""
        made.add_row(MARKS[finding.state], escape(finding.about), escape(finding.what) + remedy)
    return made
