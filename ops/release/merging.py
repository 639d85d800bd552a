"""A denoiser with adapters merged into it, as a folder for other programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ops.runtime.project import Project
from ops.sampling.request import SamplingError


def write_merged(project: Project, lora: Sequence[str], folder: Path, checkpoint: str | None = None) -> str:
    """Write the model that `soraflow generate` would sample from, in the released form; returns what it is of.

    `lora` and `checkpoint` are as `ops.release.generate.generate` takes them.

    Raises:
        SamplingError: there are no adapters to merge, or they are of another model, or something lies in the folder.
        MissingArtifact, UnknownVersion: there is no such model.
    """
    from models.released import save_pretrained
    from ops.generation.model import VideoModel
    from ops.release.adapter_name import chosen

    if folder.is_dir() and any(folder.iterdir()):
        raise SamplingError(f"{folder} is not empty: name a new folder")
    parts, label = chosen(project, checkpoint, lora)
    if not parts.adapters:
        raise SamplingError(f"{label} has no adapters to merge: name some with --lora")
    save_pretrained(VideoModel(project, parts).denoiser, folder)
    return label
