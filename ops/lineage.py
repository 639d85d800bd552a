"""What every asset is made from, and the work that each after the dataset would be today, without doing it."""

from __future__ import annotations

from importlib import import_module
from typing import NamedTuple

from ops.config import Settings
from ops.runtime.artifacts import Wanted
from ops.runtime.project import Project
from ops.steps import STEPS
from ops.training.trainings import final, lines, trainings
from ops.weights.results import BASE


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
    made = _made_of_trainings(project.settings)[asset]
    found: Wanted = import_module(made.module).planned(project.of_line(made.line))
    return found


class _Made(NamedTuple):
    """What an asset is made from, and the module with its function `planned`, which may take seconds to import."""

    inputs: tuple[str, ...]
    module: str
    line: str | None = None
    """Of which it is, as `ops.training.trainings.lines` has them."""


def _made_of_trainings(settings: Settings) -> dict[str, _Made]:
    """The assets between the trainings, and after them."""
    vae = settings.vae.asset
    base = {BASE: _Made((), "ops.training.base")} if settings.denoiser.released else {}
    return {
        **base,
        f"{vae}_evaluation": _Made((vae, "training_set"), "ops.evaluation.reconstruction"),
        "latents": _Made((vae, "training_set", *base), "ops.data.latents"),
        "text_embeddings": _Made(("training_set",), "ops.data.text_embeddings"),
        **{asset: made for line in lines(settings) for asset, made in _of_line(settings, line).items()},
    }


def _of_line(settings: Settings, line: str | None) -> dict[str, _Made]:
    """The assets from the samples of a model to its champion."""
    last, before = final(settings, line).asset, f"{line}_" if line else ""
    samples, vbench, truth, scores, champion = (
        f"{before}{name}" for name in ("samples", "vbench", "truth", "checkpoint_scores", "champion")
    )
    return {
        samples: _Made((last, "latents"), "ops.evaluation.samples", line),
        vbench: _Made((samples,), "ops.evaluation.vbench.score", line),
        truth: _Made((samples,), "ops.evaluation.truth", line),
        scores: _Made((last, vbench, truth), "ops.evaluation.checkpoint_scores", line),
        champion: _Made((scores, f"{settings.vae.asset}_evaluation"), "ops.release.champion", line),
    }
