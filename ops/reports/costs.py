"""What measuring has cost, for tables that people read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def funnel_with_costs(rows: Sequence[Mapping[str, Any]], costs: Mapping[str, Mapping[str, float]]) -> str:
    """A Markdown table of the rows of a funnel of one kind, each with what its scores have cost: {step: cost}."""
    heads = ("step", "in", "out", "errors", "hours", "share", "CPU s", "GPU s", "MB looked at")
    lines = [f"| {' | '.join(heads)} |", "| --- |" + " ---: |" * (len(heads) - 1)]
    for row in rows:
        hours = "" if row["seconds"] is None else f"{row['seconds'] / 3600:,.3f}"
        cells = (row["step"], row["entered"], row["kept"], row["errors"], hours, f"{row['share']:.0%}")
        lines.append(f"| {' | '.join(map(str, (*cells, *cost_cells(costs.get(row['step'])))))} |")
    return "\n".join(lines)


def cost_cells(cost: Mapping[str, float] | None) -> tuple[str, str, str]:
    """CPU seconds, GPU seconds and megabytes; empty for a step that measures nothing."""
    if cost is None:
        return "", "", ""
    return f"{cost['cpu_seconds']:,.2f}", f"{cost['gpu_seconds']:,.2f}", f"{cost['bytes'] / 1e6:,.1f}"
