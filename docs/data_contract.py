"""Writes docs/data_contract.md: every column of every table, from the catalogue in the code (`ops/data/catalogue.py`).

Run `python docs/data_contract.py` after changing a column; a test compares the file with what this prints.
"""

from __future__ import annotations

from pathlib import Path

from ops.catalogue.reasons import MEANINGS
from ops.data.catalogue import CHAPTERS, TABLES
from ops.runtime.columns import Table, arrow_type, type_name

PAGE = Path(__file__).with_name("data_contract.md")

INTRODUCTION = """\
# Tables and columns

Made by `python docs/data_contract.py` from the schemas in the code; do not edit it by hand. [data.md](data.md) says how
to read rows, frame numbers, times and scores.
"""

REASONS = """\
Every `reason_code` of the tables above. One bad input costs its own row only: it is looked at in another process
that is killed after `curation.time_limit_seconds` (`too_slow`), cannot hold more data than `curation.memory_limit_gib`
(`out_of_memory`), and may end by itself (`crashed`). What ends in one of these three ways, or with an error (`failed`),
is tried `curation.max_attempts` times, and then parked: [interruptions.md](interruptions.md) says when it is tried
again, and how to ask for that."""


def page() -> str:
    """The whole of docs/data_contract.md."""
    parts = [INTRODUCTION]
    for chapter, tables in CHAPTERS.items():
        parts.append(f"## {chapter}\n")
        parts += [_section(table) for table in tables]
        if chapter == "Curation":
            parts.append(_reasons())
    return "\n".join(parts).rstrip() + "\n"


def _reasons() -> str:
    rows = [f"| `{code}` | {meaning} |" for code, meaning in MEANINGS.items()]
    return "\n".join(["### Reasons\n", REASONS, "", "| code | meaning |", "|---|---|", *rows, ""])


def _section(table: Table) -> str:
    inherited = {column.name for column in TABLES[table.base].columns} if table.base else set()
    lines = [f"### {table.name}\n", f"`{table.path}`. {table.about}", ""]
    added = [column for column in table.columns if column.name not in inherited]
    if table.base:
        lines += [f"The columns of [{table.base}](#{table.base})" + (", and:" if added else "."), ""]
    if added:
        rows = [f"| `{each.name}` | {type_name(arrow_type(each.type))} | {each.meaning} |" for each in added]
        lines += ["| column | type | meaning |", "|---|---|---|", *rows, ""]
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
