"""What every asset is made from, and the work that each after the dataset would be today, without doing it."""

from __future__ import annotations

from importlib import import_module
from typing import NamedTuple

from ops.config import Settings
from ops.runtime.artifacts import Wanted
from ops.runtime.project import Project
from ops.steps import STEPS
from ops.training.trainings import final, trainings


def inputs(settings: Settings) -> dict[str, tuple[str, ...]]:
    """Asset → the assets that it is made from: the steps of the dataset, then everything after them."""
    return {
        **{name: step.inputs for name, step in STEPS.items()},
        **{asset: training.inputs for asset, training in trainings(settings).items()},
        **{asset: made.inputs for asset, made in _made_of_trainings(settings).items()},
    }


def upstream(settings: Settings, asset: str) -> list[str]:
    """Everything that an asset is made from, each after what it is made from itself."""
    made_from = inputs(settings)
    found: dict[str, None] = {}
    for each in made_from[asset]:
        found |= dict.fromkeys([*upstream(settings, each), each])
    return list(found)


def work(project: Project, asset: str) -> Wanted:
    """The work of making an asset now, of what is current here.

    Raises:
        MissingArtifact, MissingVersion: something that it is made from has not been made.
        ConfigError: when the recipe cannot be trained.
        LookupError: for a step of the dataset, or an asset that there is not.
    """
    if asset in trainings(project.settings):
        from ops.training.assets import planned

        return planned(project, asset)
    found: Wanted = import_module(_made_of_trainings(project.settings)[asset].module).planned(project)
    return found


class _Made(NamedTuple):
    """What an asset is made from, and the module with its function `planned`, which may take seconds to import."""

    inputs: tuple[str, ...]
    module: str


def _made_of_trainings(settings: Settings) -> dict[str, _Made]:
    """The assets between the trainings, and after them."""
    vae, last = settings.vae.asset, final(settings).asset
    return {
        f"{vae}_evaluation": _Made((vae, "training_set"), "ops.evaluation.reconstruction"),
        "latents": _Made((vae, "training_set"), "ops.data.latents"),
        "text_embeddings": _Made(("training_set",), "ops.data.text_embeddings"),
        "samples": _Made((last, "latents"), "ops.evaluation.samples"),
        "vbench": _Made(("samples",), "ops.evaluation.vbench.score"),
        "truth": _Made(("samples",), "ops.evaluation.truth"),
        "checkpoint_scores": _Made((last, "vbench", "truth"), "ops.evaluation.checkpoint_scores"),
        "champion": _Made(("checkpoint_scores", f"{vae}_evaluation"), "ops.release.champion"),
    }
