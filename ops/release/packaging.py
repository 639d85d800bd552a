"""Laying out a released model for MLflow's registry: its weights, if they are to be copied, and how to load them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.metadata import version as installed
from pathlib import Path

from ops.generation.parts import AdapterPart, Parts
from ops.release.registry import Version
from ops.release.served_model import MODEL, RECIPE, signature
from ops.runtime.files import write_json
from ops.runtime.project import Project

GIB = 2**30
DENOISER, VAE = "denoiser", "vae"


def lay_out(project: Project, version: Version, folder: Path) -> str | None:
    """Write what goes to the registry into an empty folder; returns why the weights are not among it, or None.

    Weights are only linked to.
    """
    parts, inside = version.parts, folder / "model"
    reason = _reason_against(project, parts)
    adapters = tuple(each.model_copy(update={"folder": place}) for place, each in _adapters(parts))
    copied = parts.model_copy(update={"denoiser": DENOISER, "vae": VAE, "adapters": adapters})
    write_json(
        inside / MODEL,
        {"parts": json.loads(copied.as_json()), "not_copied": _remedy(version, reason) if reason else None},
    )
    with (inside / RECIPE).open("w", encoding="utf-8") as file:
        file.write(project.settings.model_dump_json(indent=2))
    if reason is None:
        for place, source in _files(project, parts):
            (inside / place).parent.mkdir(parents=True, exist_ok=True)
            (inside / place).symlink_to(source.resolve())
    _describe(project, version, folder, inside.name)
    return reason


def _describe(project: Project, version: Version, folder: Path, data: str) -> None:
    from mlflow import pyfunc
    from mlflow.models import Model

    model = Model(model_id=version.logged_model, run_id=version.run_id, signature=signature(project.settings))
    pyfunc.add_to_model(model, loader_module="ops.release.served_model", data=data)
    model.save(str(folder / "MLmodel"))
    (folder / "requirements.txt").write_text(f"soraflow=={installed('soraflow')}\n", encoding="utf-8")


def _reason_against(project: Project, parts: Parts) -> str | None:
    release = project.settings.release
    if not release.copy_weights:
        return "release.copy_weights is off"
    files = [source for _, source in _files(project, parts)]
    size = sum(source.stat().st_size for source in files) / GIB
    if size > release.largest_copy_gib:
        return f"its parts take {size:.1f} GiB, more than release.largest_copy_gib ({release.largest_copy_gib:g})"
    pickled = [source for source in files if source.suffix in (".bin", ".pt", ".pth", ".ckpt")]
    return f"{pickled[0].name} of {parts.text_encoder} is not in safetensors" if pickled else None


def _remedy(version: Version, reason: str) -> str:
    return (
        f"the weights of {version.model} version {version.number} are not in the registry: {reason}. In the project "
        "that made it, `soraflow generate` finds them; to have them copied, run there `soraflow run --select champion "
        "--set release.copy_weights=true --set release.largest_copy_gib=…`"
    )


def _adapters(parts: Parts) -> Iterator[tuple[str, AdapterPart]]:
    """(place in the copy, adapters)."""
    return ((f"adapters/{number}", each) for number, each in enumerate(parts.adapters, start=1))


def _files(project: Project, parts: Parts) -> Iterator[tuple[str, Path]]:
    """(place in the copy, file) of every part."""
    from ops import weights

    folders = [(place, each.folder) for place, each in _adapters(parts)]
    for place, folder in ((DENOISER, parts.denoiser), (VAE, parts.vae), *folders):
        for file in sorted((project.root / folder).iterdir()):
            yield f"{place}/{file.name}", file
    encoder = weights.ensure(project, parts.text_encoder)
    names = [*(file.path for file in weights.entry(parts.text_encoder).files), weights.SUMS]
    for name in names:
        if (encoder / name).is_file():
            yield f"weights/{parts.text_encoder}/{name}", encoder / name
