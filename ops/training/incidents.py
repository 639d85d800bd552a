"""Steps that went wrong, written down with the samples that were in them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from ops.runtime.files import write_json


class LossNotFinite(FloatingPointError):
    """Training cannot go on; the message names the incident file."""


def write_incident(
    folder: Path, step: int, reason: str, figures: Mapping[str, float], sample_ids: Sequence[str]
) -> Path:
    """`incidents/step_000123.json`: what happened and the sample ids of the global batch, in order."""
    path = folder / "incidents" / f"step_{step:06d}.json"
    shown = {name: value if math.isfinite(value) else str(value) for name, value in figures.items()}
    write_json(path, {"step": step, "reason": reason, "figures": shown, "sample_ids": list(sample_ids)})
    return path
