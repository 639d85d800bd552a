"""Adapters that are named when a video is made: which these are, and whether they are of the model that makes it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ops.generation.parts import ADAPTER_FILE, AdapterPart, Parts, parts_of
from ops.release.model_name import resolve
from ops.release.registry import CHAMPION
from ops.runtime.artifacts import FILE as ARTIFACT
from ops.runtime.artifacts import Entry, MissingArtifact, current, entries, entry
from ops.runtime.project import Project
from ops.sampling.request import SamplingError
from ops.training.job import was_trained
from ops.training.results import Trained
from ops.weights.content import weights_hash
from ops.weights.results import BASE, ReleasedDenoiser


@dataclass(frozen=True)
class NamedAdapter:
    """Adapters in a folder, and how strongly they are wanted: 1 is as they were trained."""

    name: str
    folder: Path
    base: str
    """A hash of the weights that they were trained on."""
    scale: float

    @classmethod
    def of(cls, project: Project, text: str) -> NamedAdapter:
        """Of `NAME` or `NAME:SCALE`. A name is a folder with adapters, a file in it, or an asset such as `lora_mine`
        (its best checkpoint) or `lora_mine@200`.

        Raises:
            SamplingError: there are no adapters of that name.
        """
        from models.adapters import AdapterError, read_settings

        name, scale = text, 1.0
        if found := re.fullmatch(r"(.+):([-+]?[0-9.]+(?:e[-+]?[0-9]+)?)", text):
            name, scale = found[1], float(found[2])
        folder = _folder(project, name)
        try:
            return cls(name, folder, read_settings(folder).base, scale)
        except AdapterError as error:
            raise SamplingError(str(error)) from error


def _folder(project: Project, name: str) -> Path:
    path = Path(name)
    for folder in (path, path.parent):
        if path.exists() and (folder / ADAPTER_FILE).is_file():
            return folder.resolve()
    if path.exists():
        raise SamplingError(f"{name} holds no adapters: name a folder with {ADAPTER_FILE}, or a file beside one")
    asset, _, step = name.partition("@")
    try:
        parts = parts_of(project, current(project, asset, Trained), int(step) if step.isdigit() else None)
    except MissingArtifact:
        parts = None
    if parts is None or not parts.adapters:
        made = {each.asset for each in _trainings(project) if each.asset.startswith("lora_")}
        known = f", or an asset: {', '.join(sorted(made))}" if made else ""
        raise SamplingError(f"no adapters are called '{name}': name a folder with {ADAPTER_FILE}{known}")
    return project.root / parts.adapters[0].folder


def chosen(project: Project, checkpoint: str | None, lora: Sequence[str], default: str = CHAMPION) -> tuple[Parts, str]:
    """The model that a name stands for (`ops.release.model_name.resolve`) with these adapters, and a label for people.
    No name is that of the weights which the first ones were trained on, where these are here, or else `default`.

    Raises:
        SamplingError: there are no such adapters, or they were trained on other weights.
        MissingArtifact, UnknownVersion: there is no such model.
    """
    adapters = [NamedAdapter.of(project, each) for each in lora]
    parts, label = resolve(project, checkpoint or model_of(project, adapters) or default)
    told = [f"{each.name} at {each.scale:g}" for each in adapters]
    return laid_on(project, parts, adapters), " with ".join([label, *told])


def model_of(project: Project, adapters: Sequence[NamedAdapter]) -> str | None:
    """What the weights that the first of these were trained on go by here; None where they are not here."""
    return _known_as(project, adapters[0].base) if adapters else None


def laid_on(project: Project, parts: Parts, adapters: Sequence[NamedAdapter]) -> Parts:
    """A model with adapters besides those that it has; no weights are read.

    Raises:
        SamplingError: some were trained on other weights than its own; with what would be right.
    """
    own = weights_hash(project.root / parts.denoiser) if adapters else ""
    for each in adapters:
        if each.base != own:
            known = _known_as(project, each.base)
            right = f"use --checkpoint {known}" if known else "bring that model here, or train adapters of this one"
            raise SamplingError(
                f"the adapters {each.name} were trained on other weights ({each.base[:12]}) than those of "
                f"{parts.denoiser_asset} step {parts.step} ({own[:12]}): {right}"
            )
    more = tuple(AdapterPart(folder=_within(project, each.folder), scale=each.scale) for each in adapters)
    return parts.model_copy(update={"adapters": (*parts.adapters, *more)})


def _known_as(project: Project, content: str) -> str | None:
    """The name by which a checkpoint of this project with these weights can be asked for."""
    for made in _trainings(project):
        for each in made.of(Trained).results.checkpoints:
            if weights_hash(made.folder / each.folder / "ema") == content:
                newest = current(project, made.asset, Trained).folder == made.folder
                return f"{made.asset}@{each.step}" if newest else str(made.folder / each.folder)
    for released in entries(project, BASE):
        if weights_hash(released.folder / released.of(ReleasedDenoiser).results.released) == content:
            return BASE
    return None


def _trainings(project: Project) -> list[Entry]:
    """Those of denoisers and of adapters, the newest first."""
    files = project.artifacts.glob(f"*/*/{ARTIFACT}")
    made = (entry(path.parent) for path in sorted(files, key=lambda path: path.stat().st_mtime, reverse=True))
    return [each for each in made if was_trained(each.folder) and "latents" in each.inputs]


def _within(project: Project, folder: Path) -> str:
    """Relative to the project what lies in it."""
    root = project.root.resolve()
    return folder.relative_to(root).as_posix() if folder.is_relative_to(root) else str(folder)
