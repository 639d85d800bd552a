"""Steps that went wrong, written down with the samples that were in them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from ops.runtime.files import write_json


def incident_file(folder: Path, step: int) -> Path:
    return folder / "incidents" / f"step_{step:06d}.json"


def write_incident(
    folder: Path, step: int, reason: str, figures: Mapping[str, float], sample_ids: Sequence[str]
) -> None:
    """What happened and the sample ids of the global batch, in order."""
    shown = {name: value if math.isfinite(value) else str(value) for name, value in figures.items()}
    incident = {"step": step, "reason": reason, "figures": shown, "sample_ids": list(sample_ids)}
    write_json(incident_file(folder, step), incident)


def left_out_file(folder: Path, step: int) -> Path:
    return folder / "incidents" / f"step_{step:06d}_left_out.json"


def write_left_out(folder: Path, step: int, samples: Mapping[str, Mapping[str, object]]) -> None:
    """The samples that were left out at a step, each with reason and source."""
    write_json(
        left_out_file(folder, step), {"step": step, "left_out": {name: dict(each) for name, each in samples.items()}}
    )
