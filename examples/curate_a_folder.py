"""Curate a folder of videos from Python: which clips are kept, and why the others are not.

`python examples/curate_a_folder.py FOLDER WORKPLACE` needs no weights, no Dagster and no `params.yaml`: the recipe is
handed over as it is here, and tables and scores lie in WORKPLACE. A second call measures nothing that is measured.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import Any

from ops.config import resolve
from ops.runtime import tables
from ops.runtime.project import Project
from ops.steps import CLIP_STEPS, step

CHECKOUT = Path(__file__).resolve().parents[1]
WITHOUT_WEIGHTS: dict[str, Any] = {
    "shots": {"scorer": "picture-change", "min_frames": 12},
    "text_crop": {"scorer": "none"},
    "aesthetics": {"scorer": "colourfulness"},
    "technical_quality": {"scorer": "blur-and-blocks"},
    "rules": [
        {"score": "motion", "minimum": 0.002, "maximum": 0.2},
        {"score": "aesthetic", "minimum": 9.0},
        {"score": "technical", "maximum": 0.6},
    ],
}


def curate(folder: Path, workplace: Path) -> Counter[str]:
    """How many clips of the folder are kept, and how many fell out by each reason."""
    sources = {"videos": str(folder.resolve()), "images": None, "captions": None}
    recipe = resolve(CHECKOUT, "tiny", {"sources": sources, "curation": WITHOUT_WEIGHTS})
    project = Project(workplace.resolve(), recipe=recipe)
    for name in CLIP_STEPS:
        step(name).load()(project)
    rows = tables.read(project.table("curated_clips"))
    return Counter(row["reason_code"] or "kept" for row in rows)


if __name__ == "__main__":  # worker processes import this file
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("workplace", type=Path)
    asked = parser.parse_args()
    for outcome, count in curate(asked.folder, asked.workplace).most_common():
        print(f"{count:6}  {outcome}")
