"""A benchmark's result: printed as a table, and kept as a section of docs/benchmarks.md with the machine named."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ops.runtime.device import available, cores
from ops.runtime.files import replacing

PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"
INTRODUCTION = """\
# What soraflow costs over the bare work

Each figure is a ratio of two things measured in one run on one machine; [benchmarks/](../benchmarks/README.md) says how
to measure it on yours. Absolute times say more about the machine than about soraflow. Cut detection,
learning and samplers are exceptions: their figures say how good something is, not what it costs.
"""
TITLES = (
    *("Orchestration", "Curation", "Another threshold", "Decode once", "Loading"),
    *("Batches of clips", "Batches of clips on a GPU", "Cut detection"),
    *(
        "Learning on the made world",
        "A new colour by adapters",
        "Samplers",
        "Given frames",
        "Index of samples",
        "Reading cached latents",
        "Batches by tokens",
        "Whole tables",
        "Training step",
    ),
    "Dropping gradients",
    *("Models", "Models in training", "Models on a GPU"),
)


@dataclass(frozen=True)
class Report:
    """`title` is one of TITLES; the first column of `rows` is text, the others are numbers written out."""

    title: str
    finding: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    notes: tuple[str, ...] = ()

    def show(self, console: Console) -> None:
        table = Table(title=self.title, title_justify="left", box=None, padding=(0, 2, 0, 0), header_style="dim")
        for number, column in enumerate(self.columns):
            table.add_column(column, justify="right" if number else "left")
        for row in self.rows:
            table.add_row(*row)
        console.print(table)
        console.print(f"\n[bold]{self.finding}[/]", highlight=False)
        for note in self.notes:
            console.print(f"[dim]{note}[/]", highlight=False)

    def section(self) -> str:
        """The result in Markdown, from its heading to its end."""
        lines = [f"## {self.title}", "", f"**{self.finding}**", ""]
        lines += [_row(self.columns), _row(("---", *("---:",) * (len(self.columns) - 1)))]
        lines += [_row(row) for row in self.rows]
        lines += ["", *(f"* {note}" for note in self.notes), f"* Measured on {machine()}, {date.today():%B %Y}."]
        return "\n".join(lines) + "\n"

    def write(self, page: Path = PAGE) -> None:
        """Put the section into the page in place of its older self; other sections stay as they are."""
        old = page.read_text(encoding="utf-8") if page.is_file() else ""
        sections = {found.split("\n", 1)[0]: found for found in re.split(r"^## ", old, flags=re.MULTILINE)[1:]}
        sections[self.title] = self.section().removeprefix("## ")
        with replacing(page) as temporary:
            parts = (f"## {sections[title].rstrip()}\n" for title in TITLES if title in sections)
            temporary.write_text("\n".join([INTRODUCTION, *parts]), encoding="utf-8")


def machine() -> str:
    """This machine in words, without its name."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    accelerators = [name for name in available() if name != "cpu"]
    return (
        f"{cores()} cores of an {_processor()} processor, {memory:.0f} GiB of memory, "
        f"{', '.join(accelerators) or 'no accelerator'}, {platform.system()}, Python {platform.python_version()}"
    )


def _processor() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), flags=re.MULTILINE)
    return found[1].strip() if found else platform.machine()


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"
