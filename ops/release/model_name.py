"""The names that a model goes by: of the registry, of an asset, of a folder."""

from __future__ import annotations

import re
from pathlib import Path

from ops.release.registry import Registry
from ops.runtime.artifacts import current, read
from ops.runtime.project import Project
from ops.sampling.parts import DENOISER_PREFIX, Parts, parts_of
from ops.sampling.request import SamplingError
from ops.training.results import Trained


def resolve(project: Project, checkpoint: str) -> tuple[Parts, str]:
    """The parts that a name stands for, with a label for people.

    A name is `champion`, `candidate`, `previous` or a version number of the registered model; or an asset, as
    `denoiser_video` (its best checkpoint) or `denoiser_video@150` (the checkpoint of that step); or the folder of
    a checkpoint.
    """
    match = re.fullmatch(rf"({DENOISER_PREFIX}\w+)(?:@(\d+))?", checkpoint)
    if match:
        _demand_stage(project, match[1])
        return _labelled(parts_of(project, current(project, match[1], Trained), int(match[2]) if match[2] else None))
    if Path(checkpoint).is_dir():
        return _labelled(_parts_of_folder(project, Path(checkpoint)))
    version = Registry(project).version(checkpoint)
    return version.parts, f"{version.model} version {version.number}"


def _demand_stage(project: Project, asset: str) -> None:
    """No run could make a stage that the recipe does not have; one that was made under another recipe is there."""
    stages = [f"{DENOISER_PREFIX}{stage.name}" for stage in project.settings.stages]
    if asset not in stages and not (project.artifacts / asset).is_dir():
        preset = project.settings.name
        raise SamplingError(f"preset '{preset}' has no stage '{asset}'; its stages are: {', '.join(stages)}")


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
