"""Steps that went wrong, written down with the samples that were in them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ops.runtime.files import write_json


def write_incident(
    folder: Path, step: int, reason: str, figures: Mapping[str, float], sample_ids: Sequence[str]
) -> Path:
    """`incidents/step_000123.json`: what happened and the sample ids of the global batch, in order."""
    path = folder / "incidents" / f"step_{step:06d}.json"
    shown = {name: value if math.isfinite(value) else str(value) for name, value in figures.items()}
    write_json(path, {"step": step, "reason": reason, "figures": shown, "sample_ids": list(sample_ids)})
    return path


def write_left_out(folder: Path, step: int, samples: Mapping[str, Mapping[str, Any]]) -> Path:
    """`incidents/step_000123_left_out.json`: the samples that were left out at a step, each with reason and source."""
    path = folder / "incidents" / f"step_{step:06d}_left_out.json"
    write_json(path, {"step": step, "left_out": {name: dict(entry) for name, entry in samples.items()}})
    return path
