"""Finished weights that a recipe names in `vae.released` or `denoiser.released`: where they lie, and what is known of
how they were made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ops.config import ConfigError
from ops.data.latents import LatentsResults, vae_of
from ops.runtime.artifacts import FILE as ARTIFACT
from ops.runtime.artifacts import MissingArtifact, entries, entry
from ops.runtime.project import Project
from ops.training.recipe import recipe_of
from ops.weights.results import Weights

Part = Literal["vae", "denoiser"]
REGISTERED = "models:/"
"""How names of versions in MLflow's registry begin."""
MODEL = "model.json"
"""What lies beside the parts of a model that was copied into the registry, and says what they are."""


@dataclass(frozen=True)
class Finished:
    """The folder of a part in its released form. The rest is None where nothing tells it.

    `shift` and `scale` are those of the latents that a denoiser was trained on, `vae` the folder of the VAE that made
    them; `diffusion` and `text_encoder` are the sections of the recipe that it was trained under.
    """

    folder: Path
    shift: tuple[float, ...] | None = None
    scale: tuple[float, ...] | None = None
    vae: Path | None = None
    diffusion: Mapping[str, Any] | None = None
    text_encoder: str | None = None


def finished(project: Project, name: str, part: Part) -> Finished:
    """What a name stands for: a folder, a version in MLflow's registry, or an entry of the weights registry.

    A folder holds `config.json` and weights, or is that of a whole model as it is copied into MLflow's registry; of a
    checkpoint of soraflow's, that project tells the rest.

    Raises:
        ConfigError: there is no such folder, version or entry; the message says what may be named.
    """
    from ops import weights

    if name.startswith(REGISTERED):
        return _registered(project, name, part)
    folder = project.root / name
    if not folder.is_dir():
        try:
            return Finished(weights.ensure(project, name))
        except KeyError as error:
            raise ConfigError(
                f"{part}.released is '{name}', which is no folder in {project.root}, and {error.args[0]}; or name a "
                f"version in MLflow's registry, as {REGISTERED}NAME@champion"
            ) from None
    if (folder / MODEL).is_file():
        return _packaged(folder, part)
    return _of_checkpoint(folder.resolve()) or Finished(folder)


def _registered(project: Project, name: str, part: Part) -> Finished:
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    from ops.runtime.tracking.connection import connect

    connect(project)
    kept = project.var / "released" / name.removeprefix(REGISTERED).replace("/", "_").replace("@", "_")
    kept.mkdir(parents=True, exist_ok=True)
    try:
        fetched = Path(download_artifacts(name, dst_path=str(kept)))
    except MlflowException as error:
        raise ConfigError(f"{part}.released is '{name}', but MLflow has no such version: {error}") from error
    if not (fetched / "model" / MODEL).is_file():
        raise ConfigError(f"{part}.released is '{name}', which was not registered by soraflow: it has no model/{MODEL}")
    return _packaged(fetched / "model", part)


def _packaged(folder: Path, part: Part) -> Finished:
    described = json.loads((folder / MODEL).read_text(encoding="utf-8"))
    if described["not_copied"]:
        raise ConfigError(f"{part}.released: {described['not_copied']}")
    parts = described["parts"]
    if parts.get("adapters"):
        raise ConfigError(
            f"{part}.released: {folder} is a base with adapters: merge them first with `soraflow export merged`"
        )
    if part == "vae":
        return Finished(folder / parts["vae"])
    return Finished(
        folder / parts["denoiser"],
        tuple(parts["shift"]),
        tuple(parts["scale"]),
        folder / parts["vae"],
        parts["diffusion"],
        parts["text_encoder"],
    )


def _of_checkpoint(folder: Path) -> Finished | None:
    """What the project tells that trained it; None where it was no training of soraflow's, or that is gone."""
    made = next((parent for parent in folder.parents if (parent / ARTIFACT).is_file()), None)
    if made is None or "latents" not in (trained := entry(made)).inputs:
        return None
    home = Project(made.parents[3])
    latents = next((each.of(LatentsResults) for each in entries(home, "latents", trained.inputs["latents"])), None)
    if latents is None:
        return None
    vae = next((each.of(Weights) for each in entries(home, *vae_of(latents))), None)
    try:
        recipe = recipe_of(trained)
    except MissingArtifact:
        return None
    return Finished(
        folder,
        latents.results.shift,
        latents.results.scale,
        vae.folder / vae.results.released if vae else None,
        recipe.diffusion.model_dump(mode="json"),
        recipe.text_encoder.weights,
    )
