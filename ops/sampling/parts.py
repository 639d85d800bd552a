"""What a text-to-video model is made of: which denoiser, which VAE, which text encoder, and the latents between."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ops.runtime.artifacts import Artifact, MissingArtifact, find_all
from ops.runtime.project import Project
from ops.sampling.request import SamplingError
from ops.training.job import recipe

DENOISER_PREFIX = "denoiser_"


@dataclass(frozen=True)
class Parts:
    """Names of everything that turns a prompt into a video; small enough to travel as a tag.

    Folders are relative to the project's root. `shift` and `scale` are the latents' (z − shift) · scale. `diffusion`
    and `encoder` are the settings that the denoiser was trained under, not those of today's recipe.
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
    encoder: dict[str, Any] = field(default_factory=dict)
    """Of the text encoder; empty in versions that were registered before it was kept."""

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
    latents = _upstream(project, denoiser, "latents")
    vae = _upstream(project, latents, next(name for name in latents.inputs if name != "training_set"))
    checkpoint, trained = _checkpoint(denoiser, step), recipe(denoiser)
    encoder = trained["text_encoder"]
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
        text_encoder=encoder["weights"],
        text_encoder_version=_encoder_version(project, denoiser),
        max_tokens=encoder["max_tokens"],
        diffusion=trained["denoiser"]["diffusion"],
        encoder=encoder,
    )


def _encoder_version(project: Project, denoiser: Artifact) -> str:
    """Of the encoder that made the embeddings which the denoiser was trained on. Other settings that happen to give
    the same embeddings come later, for then the training is found finished."""
    return _all_upstream(project, denoiser, "text_embeddings")[-1].settings["encoder_version"]


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
    return _all_upstream(project, artifact, asset)[0]


def _all_upstream(project: Project, artifact: Artifact, asset: str) -> list[Artifact]:
    """The artifacts of the version that this one was made from, newest first; at least one."""
    version = artifact.inputs.get(asset)
    found = list(find_all(project, asset, version)) if version else []
    if not found:
        raise MissingArtifact(
            f"{artifact.asset} was made from version {version} of '{asset}', which is no longer in {project.artifacts}"
        )
    return found


def _relative(project: Project, path: Path) -> str:
    return path.resolve().relative_to(project.root.resolve()).as_posix()
