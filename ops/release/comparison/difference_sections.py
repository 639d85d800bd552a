"""What differs in how models were made, as sections of a page: settings, dataset, code."""

from __future__ import annotations

from collections.abc import Iterator

from ops.release.comparison.comparison import Comparison, letter, tag
from ops.release.comparison.dataset_change import DatasetChange, Item
from ops.release.comparison.differences import CodeChange
from ops.reports.html_page import text

MOST_ITEMS = 200
"""Clips and images that are listed by name, in and out each; all are counted."""
MOST_LINES = 40
"""Commits, and files, that are listed."""


def setting_section(found: Comparison) -> Iterator[str]:
    yield "<h2 id='settings'>What differs in the settings</h2>"
    if not found.settings:
        yield "<p>Nothing.</p>"
        return
    heads = "".join(f"<th>{tag(number)}</th>" for number in range(len(found.subjects)))
    yield f"<div class='wide'><table class='settings'><tr><th>setting</th>{heads}</tr>"
    for key, values in found.settings.items():
        cells = "".join(f"<td><code>{text(value)}</code></td>" for value in values)
        yield f"<tr><td><code>{text(key)}</code></td>{cells}</tr>"
    yield "</table></div>"


def dataset_section(change: DatasetChange, number: int) -> str:
    title = f"<h2>What differs in the dataset, {letter(0)} to {letter(number)}</h2>"
    if change.note:
        return f"{title}<p>{text(change.note)}</p>"
    if change.before == change.after:
        return f"{title}<p>Nothing: both are of version <code>{text(change.after)}</code>.</p>"
    moved = f", {change.moved} of them in another split" if change.moved else ""
    head = (
        f"<p>Version <code>{text(change.before)}</code> to <code>{text(change.after)}</code>: {len(change.out)} clips "
        f"and images out, {len(change.added)} in, {change.in_both} in both{moved}.</p>"
    )
    lists = _items(f"Out, and why {letter(number)} lacks them", change.out)
    return title + head + lists + _items(f"In, and why {letter(0)} lacked them", change.added)


def _items(title: str, items: tuple[Item, ...]) -> str:
    if not items:
        return ""
    reasons = "".join(f"<li>{count} × {text(reason)}</li>" for reason, count in DatasetChange.reasons(items))  # noqa: RUF001
    rows = "".join(
        f"<tr><td>{text(item.path)}</td><td>{item.kind}</td><td><code>{text(item.item_id)}</code></td>"
        f"<td>{text(item.reason)}</td></tr>"
        for item in items[:MOST_ITEMS]
    )
    rest = f"<p>and {len(items) - MOST_ITEMS} more</p>" if len(items) > MOST_ITEMS else ""
    return (
        f"<h3>{title}</h3><ul>{reasons}</ul><details><summary>{min(len(items), MOST_ITEMS)} by name</summary>"
        f"<div class='wide'><table><tr><th>file</th><th>kind</th><th>id</th><th>why</th></tr>{rows}</table></div>{rest}"
        "</details>"
    )


def code_section(change: CodeChange, number: int) -> str:
    title = f"<h2>What differs in the code, {letter(0)} to {letter(number)}</h2>"
    if change.note:
        return (
            f"{title}<p>{text(change.note)}: {text(change.before or 'unknown')}, {text(change.after or 'unknown')}.</p>"
        )
    if change.before == change.after:
        return (
            f"{title}<p>Nothing that is committed: both trainings ran from <code>{text(change.after or '')}</code>.</p>"
        )
    commits = "".join(f"<li>{text(each)}</li>" for each in change.commits[:MOST_LINES])
    more = f"<li>and {len(change.commits) - MOST_LINES} more</li>" if len(change.commits) > MOST_LINES else ""
    rows = "".join(
        f"<tr><td><code>{text(name)}</code></td><td>+{text(added)}</td><td>\u2212{text(gone)}</td></tr>"
        for name, added, gone in change.files[:MOST_LINES]
    )
    return (
        f"{title}<ul>{commits}{more}</ul><details><summary>{len(change.files)} files</summary><div class='wide'>"
        f"<table><tr><th>file</th><th>lines in</th><th>out</th></tr>{rows}</table></div></details>"
    )
