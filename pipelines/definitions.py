"""The code location: everything under `defs/`, with the project and the training process as resources."""

from __future__ import annotations

from pathlib import Path

import dagster as dg

from pipelines.resources.project import ProjectResource
from pipelines.resources.training_process import TrainingProcess


@dg.definitions
def defs() -> dg.Definitions:
    shared = dg.Definitions(
        resources={"project": ProjectResource(), "training_process": TrainingProcess()},
        # The graph is a chain of coarse steps, each of which already spreads its work over processes. One process
        # for the whole run saves the 4 to 6 seconds that a process for every step would cost.
        executor=dg.in_process_executor,
    )
    return dg.Definitions.merge(shared, dg.load_from_defs_folder(path_within_project=Path(__file__).parent))
