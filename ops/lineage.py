"""What every asset is made from, and the work that each after the dataset would be today, without doing it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ops.config import Settings
from ops.runtime.artifacts import Work
from ops.runtime.project import Project
from ops.steps import STEPS
from ops.training.trainings import final, trainings


def inputs(settings: Settings) -> dict[str, tuple[str, ...]]:
    """Asset → the assets that it is made from: the steps of the dataset, then everything after them."""
    vae, last = settings.vae.architecture, final(settings).asset
    return {
        **{name: step.inputs for name, step in STEPS.items()},
        **{asset: training.inputs for asset, training in trainings(settings).items()},
        f"{vae}_evaluation": (vae, "training_set"),
        "latents": (vae, "training_set"),
        "text_embeddings": ("training_set",),
        "samples": (last, "latents"),
        "vbench": ("samples",),
        "truth": ("samples",),
        "checkpoint_scores": (last, "vbench", "truth"),
        "champion": ("checkpoint_scores", f"{vae}_evaluation"),
    }


def upstream(settings: Settings, asset: str) -> list[str]:
    """Everything that an asset is made from, each after what it is made from itself."""
    made_from = inputs(settings)
    found: dict[str, None] = {}
    for each in made_from[asset]:
        found |= dict.fromkeys([*upstream(settings, each), each])
    return list(found)


def work(project: Project, asset: str) -> Work[Any]:
    """The work of making an asset now, of what is current here.

    Raises:
        MissingArtifact, MissingVersion: something that it is made from has not been made.
        ConfigError: when the recipe cannot be trained.
        LookupError: for a step of the dataset, or an asset that there is not.
    """
    if asset in trainings(project.settings):
        from ops.training.assets import planned

        return planned(project, asset)
    module = import_module(_planners(project.settings)[asset])
    return module.planned(project)


def _planners(settings: Settings) -> dict[str, str]:
    """Asset → the module with its function `planned`, which may take seconds to import."""
    return {
        f"{settings.vae.architecture}_evaluation": "ops.evaluation.reconstruction",
        "latents": "ops.data.latents",
        "text_embeddings": "ops.data.text_embeddings",
        "samples": "ops.evaluation.samples",
        "vbench": "ops.evaluation.vbench.score",
        "truth": "ops.evaluation.truth",
        "checkpoint_scores": "ops.evaluation.checkpoint_scores",
        "champion": "ops.release.champion",
    }
