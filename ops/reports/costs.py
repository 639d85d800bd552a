"""What measuring has cost, for tables that people read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ops.curation.runs.funnel import FunnelRow

COSTS = ("CPU s", "GPU s", "MB looked at")


def funnel_with_costs(rows: Sequence[FunnelRow], costs: Mapping[str, Mapping[str, float]]) -> list[dict[str, object]]:
    """The rows of a funnel of one kind as a table, each with what its scores have cost: {step: cost}."""
    return [
        {
            **{"step": row["step"], "in": row["entered"], "out": row["kept"], "errors": row["errors"]},
            "hours": "" if row["seconds"] is None else f"{row['seconds'] / 3600:,.3f}",
            "share": f"{row['share']:.0%}",
            **dict(zip(COSTS, cost_cells(costs.get(row["step"])), strict=True)),
        }
        for row in rows
    ]


def cost_cells(cost: Mapping[str, float] | None) -> tuple[str, str, str]:
    """CPU seconds, GPU seconds and megabytes; empty for a step that measures nothing."""
    if cost is None:
        return "", "", ""
    return f"{cost['cpu_seconds']:,.2f}", f"{cost['gpu_seconds']:,.2f}", f"{cost['bytes'] / 1e6:,.1f}"
