"""The names that a model goes by: of the registry, of an asset, of a folder."""

from __future__ import annotations

import re
from pathlib import Path

from ops.generation.parts import Parts, parts_of, parts_of_base
from ops.release.registry import CANDIDATE, CHAMPION, PREVIOUS, Registry, UnknownVersion
from ops.runtime.artifacts import MissingArtifact, current, current_entry, entries, read
from ops.runtime.project import Project
from ops.sampling.request import SamplingError
from ops.training.job import was_trained
from ops.training.results import Trained
from ops.training.trainings import stages
from ops.weights.results import BASE


def resolve(project: Project, checkpoint: str) -> tuple[Parts, str]:
    """The parts that a name stands for, with a label for people.

    A name is `champion`, `candidate`, `previous` or a version number of the registered model, or `lora_mine@champion`
    and so on of adapters beside it; or an asset, as `denoiser_video` (its best checkpoint) or `denoiser_video@150` (the
    checkpoint of that step), `lora_mine` (with its base) or `denoiser_released` (a base alone); or the folder of a
    checkpoint.
    """
    if checkpoint == BASE:
        return parts_of_base(project), BASE
    if re.fullmatch(rf"\w+@({CHAMPION}|{CANDIDATE}|{PREVIOUS})", checkpoint):
        return _released(project, checkpoint)
    match = re.fullmatch(r"(\w+?)(?:@(\d+))?", checkpoint)
    if match and _is_denoiser(project, match[1]):
        return _labelled(parts_of(project, current(project, match[1], Trained), int(match[2]) if match[2] else None))
    if Path(checkpoint).is_dir():
        return _labelled(_parts_of_folder(project, Path(checkpoint)))
    return _released(project, checkpoint)


def _released(project: Project, name: str) -> tuple[Parts, str]:
    registry, name = Registry.named(project, name)
    try:
        version = registry.version(name)
    except UnknownVersion as error:
        names = ", ".join(each.asset for each in stages(project.settings))
        raise UnknownVersion(f"{error}; preset '{project.settings.name}' has the stages: {names}") from None
    return version.parts, f"{version.model} version {version.number}"


def last_on_given_frames(project: Project) -> str:
    """The asset of the last stage of the recipe that was trained on given frames and is finished.

    Raises:
        MissingArtifact: there is none; the message says how to make one.
    """
    found = [each.asset for each in stages(project.settings) if each.kind == "image_condition"]
    for asset in reversed(found):
        if current_entry(project, asset):
            return asset
    if found:
        raise MissingArtifact(
            f"no model is trained on given frames yet: run `soraflow run --select '+{found[0]}'`, or name a checkpoint"
        )
    raise MissingArtifact(
        f"preset '{project.settings.name}' trains no model on given frames: add a stage of kind image_condition to its "
        "stages (docs/trainings.md), or name a checkpoint of one"
    )


def _is_denoiser(project: Project, asset: str) -> bool:
    """A stage of the recipe, or one that was made under another recipe and is there."""
    made = next(entries(project, asset), None)
    was_made = made is not None and was_trained(made.folder) and "latents" in made.inputs
    return was_made or asset in [each.asset for each in stages(project.settings)]


def _labelled(parts: Parts) -> tuple[Parts, str]:
    return parts, f"{parts.denoiser_asset} step {parts.step}"


def _parts_of_folder(project: Project, folder: Path) -> Parts:
    for parent in (folder.resolve(), *folder.resolve().parents):
        step = re.fullmatch(r"step_(\d+)", parent.name)
        if step and (parent.parents[1] / "artifact.json").is_file():
            return parts_of(project, read(parent.parents[1], Trained), int(step[1]))
    raise SamplingError(
        f"{folder} is not a checkpoint of this project: name one as var/artifacts/denoiser_…/…/checkpoints/step_…"
    )
