"""What a text-to-video model is made of: which denoiser, which VAE, which text encoder, and the latents between."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, field_validator

from ops.config import Diffusion, TextEncoder
from ops.data.latents import LatentsResults, vae_of
from ops.data.text_embeddings import ASSET as TEXT
from ops.data.text_embeddings import encoder_version_of
from ops.runtime.artifacts import Artifact, Entry, MissingArtifact, R, current, entries
from ops.runtime.project import Project
from ops.sampling.request import SamplingError
from ops.training.recipe import recipe_of
from ops.training.results import Checkpoint, Trained
from ops.weights.results import BASE, ReleasedDenoiser, Weights

ADAPTER_FILE = "adapter_config.json"
"""By which a folder is known to hold adapters (`models.adapters`)."""


class AdapterPart(BaseModel):
    """Adapters that are merged into the denoiser, times `scale`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: str
    scale: float = 1.0


class Parts(BaseModel):
    """Names of everything that turns a prompt into a video; small enough to travel as a tag.

    Folders are relative to the project's root. Of adapters, `denoiser` is the folder of their base, and
    `denoiser_asset`, `denoiser_version` and `step` are their own. `shift` and `scale` are the latents'
    (z − shift) · scale. `diffusion` and `encoder` are the settings that the denoiser was trained under, not those of
    today's recipe.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

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
    diffusion: Diffusion = Diffusion()
    encoder: TextEncoder | None = None
    """Of the text encoder; None in versions that were registered before it was kept."""
    adapters: tuple[AdapterPart, ...] = ()

    @field_validator("encoder", mode="before")
    @classmethod
    def _nothing_was_kept(cls, value: object) -> object:
        return None if value == {} else value

    def as_json(self) -> str:
        """Without adapters it is what it was before there were any: versions are known by it."""
        return json.dumps(self.model_dump(mode="json", exclude=None if self.adapters else {"adapters"}), sort_keys=True)

    @classmethod
    def of_json(cls, text: str) -> Parts:
        return cls.model_validate_json(text)


def parts_of(project: Project, denoiser: Artifact[Trained], step: int | None = None) -> Parts:
    """The parts around one checkpoint of a denoiser: the VAE and latents are those it was trained on.

    `step` picks a kept checkpoint; None is the best.
    """
    latents = _upstream(project, denoiser, "latents", denoiser.inputs.get("latents"))[0].of(LatentsResults)
    vae = _upstream(project, latents, *vae_of(latents))[0].of(Weights)
    checkpoint, trained = _checkpoint(denoiser, step), recipe_of(denoiser)
    encoder = trained.text_encoder
    weights, adapters = denoiser.folder / checkpoint.folder / "ema", tuple[AdapterPart, ...]()
    if holds_adapters(weights):
        adapters = (AdapterPart(folder=_relative(project, weights)),)
        weights = _base_of(project, denoiser)
    return Parts(
        denoiser=_relative(project, weights),
        denoiser_asset=denoiser.asset,
        denoiser_version=denoiser.version,
        step=checkpoint.step,
        vae=_relative(project, vae.folder / vae.results.released),
        vae_asset=vae.asset,
        vae_version=vae.version,
        latents_version=latents.version,
        shift=latents.results.shift,
        scale=latents.results.scale,
        text_encoder=encoder.weights,
        text_encoder_version=_encoder_version(project, denoiser),
        max_tokens=encoder.max_tokens,
        diffusion=trained.diffusion,
        encoder=encoder,
        adapters=adapters,
    )


def parts_of_base(project: Project) -> Parts:
    """The parts around the finished weights that `denoiser.released` has become, as they were before any training: the
    VAE and latents are the current ones, the text encoder is the recipe's."""
    from ops.data import text_encoder

    base, settings = current(project, BASE, ReleasedDenoiser), project.settings
    latents = current(project, "latents", LatentsResults)
    vae = _upstream(project, latents, *vae_of(latents))[0].of(Weights)
    encoder = settings.text_encoder
    return Parts(
        denoiser=_relative(project, base.folder / base.results.released),
        denoiser_asset=base.asset,
        denoiser_version=base.version,
        step=0,
        vae=_relative(project, vae.folder / vae.results.released),
        vae_asset=vae.asset,
        vae_version=vae.version,
        latents_version=latents.version,
        shift=base.results.shift,
        scale=base.results.scale,
        text_encoder=encoder.weights,
        text_encoder_version=text_encoder.version(project, encoder),
        max_tokens=encoder.max_tokens,
        diffusion=settings.denoiser.diffusion,
        encoder=encoder,
    )


def holds_adapters(folder: Path) -> bool:
    """Whether it is adapters that lie in a folder, and not a whole network."""
    return (folder / ADAPTER_FILE).is_file()


def _base_of(project: Project, denoiser: Artifact[Trained]) -> Path:
    """The weights that adapters were trained on."""
    start = denoiser.results.init_from
    assert start, "adapters are trained on something"
    base = _upstream(project, denoiser, start.asset, start.version)[0].of(Weights)
    return base.folder / base.results.released


def takes_given_frames(project: Project, parts: Parts) -> bool:
    """Whether the denoiser was trained on given frames."""
    from models.released import read_config
    from models.released.config import INPAINT_CLASS

    return bool(read_config(weights_of(project, parts.denoiser, parts))["_class_name"] == INPAINT_CLASS)


def weights_of(project: Project, folder: str, parts: Parts) -> Path:
    """One of the parts' folders.

    Raises:
        MissingArtifact: it is gone.
    """
    path = project.root / folder
    if not path.is_dir():
        raise MissingArtifact(f"{path} is gone; train {parts.denoiser_asset} again, or restore the folder")
    return path


def _encoder_version(project: Project, denoiser: Artifact[Trained]) -> str:
    """Of the encoder that made the embeddings which the denoiser was trained on. Other settings that happen to give
    the same embeddings come later, for then the training is found finished."""
    oldest = _upstream(project, denoiser, TEXT, denoiser.inputs.get(TEXT))[-1]
    return encoder_version_of(oldest)


def _checkpoint(denoiser: Artifact[Trained], step: int | None) -> Checkpoint:
    wanted = denoiser.results.best_step if step is None else step
    kept = denoiser.results.checkpoints
    for checkpoint in kept:
        if checkpoint.step == wanted:
            return checkpoint
    steps = ", ".join(str(checkpoint.step) for checkpoint in kept)
    raise SamplingError(f"{denoiser.asset} has no checkpoint of step {wanted}; kept are the steps {steps}")


def _upstream(project: Project, artifact: Artifact[R], asset: str, version: str | None) -> list[Entry]:
    """Everything of the version that this one was made from, newest first; at least one."""
    found = list(entries(project, asset, version)) if version else []
    if not found:
        raise MissingArtifact(
            f"{artifact.asset} was made from version {version} of '{asset}', which is no longer in {project.artifacts}"
        )
    return found


def _relative(project: Project, path: Path) -> str:
    return path.resolve().relative_to(project.root.resolve()).as_posix()
