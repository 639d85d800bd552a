"""Ask the released model for one prompt under several seeds.

`python examples/generate_from_the_champion.py "a red circle moves left" FOLDER`, inside a project that has a champion.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ops.generation.outputs import outputs_of
from ops.release.generate import Generated, generate_all
from ops.runtime.project import Project
from ops.sampling.request import Request


def variations(
    project: Project, prompt: str, folder: Path, seeds: int = 3, steps: int | None = None
) -> list[Generated]:
    """One video a seed, each with its settings beside it. Steps that are not given are those of the recipe."""
    asked = Request.of(project.settings.evaluation, prompt, seed=0, steps=steps).variations(seeds)
    return generate_all(project, asked, outputs_of(asked, folder))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("prompt")
    parser.add_argument("folder", type=Path)
    asked = parser.parse_args()
    for made in variations(Project.find(), asked.prompt, asked.folder):
        print(f"{made.path} by {made.model} in {made.seconds:.1f} s", *made.notes, sep="\n  ")
