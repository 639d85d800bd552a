"""The Markdown that our own cards and reports are written in, as HTML: headings, lists, tables, code, paragraphs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ops.reports.html_page import text

FENCE = "```"


def as_html(markdown: str) -> Iterator[str]:
    """The parts of a page, one for each block between empty lines. Everything in it is escaped."""
    for block in _blocks(markdown):
        lines = block.splitlines()
        if block.startswith(FENCE):
            yield f"<pre>{text(block.removeprefix(FENCE).removesuffix(FENCE).strip())}</pre>"
        elif heading := re.fullmatch(r"(#{1,4}) (.+)", block):
            level = len(heading[1])
            yield f"<h{level}>{_inline(heading[2])}</h{level}>"
        elif all(line.startswith("|") for line in lines):
            yield _table(lines)
        elif all(line.startswith("- ") for line in lines):
            yield f"<ul>{''.join(f'<li>{_inline(line[2:])}</li>' for line in lines)}</ul>"
        else:
            yield f"<p>{_inline(' '.join(lines))}</p>"


def _blocks(markdown: str) -> Iterator[str]:
    """Text between empty lines; a fence goes on to its end."""
    for number, part in enumerate(markdown.split(FENCE)):
        if number % 2:
            yield f"{FENCE}{part}{FENCE}"
        else:
            yield from (block.strip() for block in re.split(r"\n\s*\n", part) if block.strip())


def _table(lines: list[str]) -> str:
    head, _, *rows = [[cell.replace("\\|", "|").strip() for cell in _cells(line)] for line in lines]
    heads = "".join(f"<th>{_inline(cell)}</th>" for cell in head)
    body = "".join(f"<tr>{''.join(f'<td>{_inline(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<div class='wide'><table><tr>{heads}</tr>{body}</table></div>"


def _cells(line: str) -> list[str]:
    return re.split(r"(?<!\\)\|", line.strip())[1:-1]


def _inline(words: str) -> str:
    """Code between backticks; all else as it is."""
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", text(words))
