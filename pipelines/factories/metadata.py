"""Results as Dagster shows them: pictures inline, numbers as numbers, tables as Markdown."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg

LARGEST_PICTURE = 2_000_000  # bytes; the event log holds what is inlined


def pictures(folder: Path) -> dict[str, dg.MetadataValue]:
    """Every PNG directly in `folder`, inlined so that the Dagster page shows it."""
    return {path.stem: picture(path) for path in sorted(folder.glob("*.png"))}


def picture(path: Path) -> dg.MetadataValue:
    if path.stat().st_size > LARGEST_PICTURE:
        return dg.MetadataValue.path(str(path))
    encoded = base64.b64encode(path.read_bytes()).decode()
    return dg.MetadataValue.md(f"![{path.stem}](data:image/png;base64,{encoded})")


def values(results: Mapping[str, Any]) -> dict[str, dg.MetadataValue]:
    """A mapping of plain results; nested ones become JSON."""
    return {name: _value(value) for name, value in results.items() if value is not None}


def _value(value: Any) -> dg.MetadataValue:
    if isinstance(value, bool):
        return dg.MetadataValue.bool(value)
    if isinstance(value, int):
        return dg.MetadataValue.int(value)
    if isinstance(value, float):
        return dg.MetadataValue.float(value)
    if isinstance(value, str):
        return dg.MetadataValue.text(value)
    return dg.MetadataValue.json(value)
