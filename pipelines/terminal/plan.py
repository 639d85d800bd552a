"""`soraflow plan`: what trainings will need, before the first of them is begun."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from rich.console import Console

from ops.runtime.project import Project
from ops.training.data.bucket_counts import bucket_counts
from ops.training.trainings import Training, training, trainings


def show(project: Project, assets: Sequence[str], as_json: bool, console: Console) -> bool:
    """Print the plans of these trainings, or of all that the recipe trains; true when all of them fit.

    Raises:
        UnknownTraining: for an asset that is none of its trainings.
    """
    from ops.training.planning.page import lines
    from ops.training.planning.planner import plan_of

    known = [training(project.settings, name) for name in assets] or list(trainings(project.settings).values())
    plans = []
    for each in (each for each in known if not each.adopted):
        with Console(stderr=True).status(f"measuring {each.asset}"):
            plans.append(plan_of(project, each, counts(project, each), compared=True))
        if not as_json:
            console.print("\n".join(lines(plans[-1])), markup=False, highlight=False, soft_wrap=True)
            if obstacle := plans[-1].obstacle:
                console.print(f"  {obstacle}", style="red", markup=False, highlight=False)
    if as_json:
        console.out(json.dumps([plan.model_dump(mode="json") for plan in plans], indent=2), highlight=False)
    return not any(plan.obstacle for plan in plans)


def counts(project: Project, of: Training) -> Mapping[str, int] | None:
    """Those of the training set in data/; None before there is one, or while none is cut for the training."""
    folder = project.data / "training_set"
    return (bucket_counts(folder, of) or None) if (folder / "buckets.parquet").is_file() else None
