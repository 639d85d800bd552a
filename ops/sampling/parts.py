"""What a text-to-video model is made of: which denoiser, which VAE, which text encoder, and the latents between."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ops.runtime.artifacts import Artifact, MissingArtifact, find
from ops.runtime.project import Project
from ops.sampling.request import SamplingError

DENOISER_PREFIX = "denoiser_"


@dataclass(frozen=True)
class Parts:
    """Names of everything that turns a prompt into a video; small enough to travel as a tag.

    Folders are relative to the project's root. `shift` and `scale` are the latents' (z − shift) · scale.
    """

    denoiser: str
    denoiser_asset: str
    denoiser_version: str
    step: int
    vae: str
    vae_asset: str
    vae_version: str
    latents_version: str
    shift: tuple[float, ...]
    scale: tuple[float, ...]
    text_encoder: str
    text_encoder_version: str
    max_tokens: int
    diffusion: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def of_json(cls, text: str) -> Parts:
        value = json.loads(text)
        return cls(**{**value, "shift": tuple(value["shift"]), "scale": tuple(value["scale"])})


def last_stage(project: Project) -> str:
    """The asset of the recipe's last denoiser stage."""
    return DENOISER_PREFIX + project.settings.stages[-1].name


def parts_of(project: Project, denoiser: Artifact, step: int | None = None) -> Parts:
    """The parts around one checkpoint of a denoiser: the VAE and latents are those it was trained on.

    `step` picks a kept checkpoint; None is the best.
    """
    from ops.data import text_encoder

    latents = _upstream(project, denoiser, "latents")
    vae = _upstream(project, latents, next(name for name in latents.inputs if name != "training_set"))
    checkpoint = _checkpoint(denoiser, step)
    settings = project.settings
    return Parts(
        denoiser=_relative(project, denoiser.folder / checkpoint["folder"] / "ema"),
        denoiser_asset=denoiser.asset,
        denoiser_version=denoiser.version,
        step=checkpoint["step"],
        vae=_relative(project, vae.folder / vae.results["released"]),
        vae_asset=vae.asset,
        vae_version=vae.version,
        latents_version=latents.version,
        shift=tuple(latents.results["shift"]),
        scale=tuple(latents.results["scale"]),
        text_encoder=settings.text_encoder.weights,
        text_encoder_version=text_encoder.version(project),
        max_tokens=settings.text_encoder.max_tokens,
        diffusion=settings.denoiser.diffusion.model_dump(mode="json"),
    )


def checkpoints(denoiser: Artifact) -> list[dict[str, Any]]:
    """The kept checkpoints of a training artifact, oldest first."""
    return sorted(denoiser.results["checkpoints"], key=lambda checkpoint: checkpoint["step"])


def _checkpoint(denoiser: Artifact, step: int | None) -> dict[str, Any]:
    wanted = denoiser.results["best_step"] if step is None else step
    kept = checkpoints(denoiser)
    for checkpoint in kept:
        if checkpoint["step"] == wanted:
            return checkpoint
    steps = ", ".join(str(checkpoint["step"]) for checkpoint in kept)
    raise SamplingError(f"{denoiser.asset} has no checkpoint of step {wanted}; kept are the steps {steps}")


def _upstream(project: Project, artifact: Artifact, asset: str) -> Artifact:
    version = artifact.inputs.get(asset)
    found = find(project, asset, version) if version else None
    if found is None:
        raise MissingArtifact(
            f"{artifact.asset} was made from version {version} of '{asset}', which is no longer in {project.artifacts}"
        )
    return found


def _relative(project: Project, path: Path) -> str:
    return path.resolve().relative_to(project.root.resolve()).as_posix()
