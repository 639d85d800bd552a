"""One asset for each training of the recipe: the video VAE, and the stages of the denoiser."""

import dagster as dg

from ops.runtime.project import Project
from ops.training.trainings import trainings
from pipelines.factories.training_asset import training_asset


@dg.definitions
def models() -> dg.Definitions:
    return dg.Definitions(assets=[training_asset(each) for each in trainings(Project.find().settings).values()])
