"""A training as an asset of a Dagster run in this process, as `pipelines` makes one: `cancelled_program.py PROJECT`."""

import sys
from pathlib import Path

import dagster as dg

from ops.runtime.project import Project
from ops.training.assets import train
from pipelines.resources.training_process import TrainingProcess


@dg.asset
def denoiser_joint(context: dg.AssetExecutionContext) -> None:
    train(Project(Path(sys.argv[1])), "denoiser_joint", TrainingProcess().launcher(context))


if __name__ == "__main__":
    with dg.DagsterInstance.get() as instance:
        dg.materialize([denoiser_joint], instance=instance, raise_on_error=False)
