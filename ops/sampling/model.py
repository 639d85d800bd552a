"""A text-to-video model as its parts: which denoiser, which VAE, which text encoder, and the latents between."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops.config import Diffusion
from ops.runtime.artifacts import Artifact, MissingArtifact, current, find, read
from ops.runtime.project import Project
from ops.sampling.request import SamplingError

if TYPE_CHECKING:
    import torch

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


def resolve(project: Project, checkpoint: str) -> tuple[Parts, str]:
    """The parts that a name stands for, with a label for people.

    A name is `champion`, `candidate`, `previous` or a version number of the registered model; or an asset, as
    `denoiser_video` (its best checkpoint) or `denoiser_video@150` (the checkpoint of that step); or the folder of
    a checkpoint.
    """
    match = re.fullmatch(rf"({DENOISER_PREFIX}\w+)(?:@(\d+))?", checkpoint)
    if match:
        return _labelled(parts_of(project, current(project, match[1]), int(match[2]) if match[2] else None))
    if Path(checkpoint).is_dir():
        return _labelled(_parts_of_folder(project, Path(checkpoint)))
    from ops.release.registry import Registry

    version = Registry(project).version(checkpoint)
    return version.parts, f"{version.model} version {version.number}"


def _labelled(parts: Parts) -> tuple[Parts, str]:
    return parts, f"{parts.denoiser_asset} step {parts.step}"


def _parts_of_folder(project: Project, folder: Path) -> Parts:
    for parent in (folder.resolve(), *folder.resolve().parents):
        step = re.fullmatch(r"step_(\d+)", parent.name)
        if step and (parent.parents[1] / "artifact.json").is_file():
            return parts_of(project, read(parent.parents[1]), int(step[1]))
    raise SamplingError(
        f"{folder} is not a checkpoint of this project: name one as var/artifacts/denoiser_…/…/checkpoints/step_…"
    )


class VideoModel:
    """The loaded parts, on this process's device, in evaluation mode. Each part is loaded when first needed."""

    def __init__(self, project: Project, parts: Parts) -> None:
        from ops.runtime.device import accelerator

        self.project, self.parts = project, parts
        self.device = accelerator(project.settings.launch.accelerator)
        self.diffusion = Diffusion(**parts.diffusion)

    @property
    def channels(self) -> int:
        """Of a latent."""
        return len(self.parts.scale)

    @cached_property
    def denoiser(self) -> Any:
        return self._load(self.parts.denoiser)

    @cached_property
    def vae(self) -> Any:
        return self._load(self.parts.vae)

    def with_denoiser(self, parts: Parts) -> VideoModel:
        """Another checkpoint of the same training, which shares this model's loaded VAE and text encoder."""
        other = VideoModel(self.project, parts)
        if (parts.vae, parts.text_encoder_version) != (self.parts.vae, self.parts.text_encoder_version):
            raise ValueError(f"{parts.denoiser} was not trained with this model's VAE and text encoder")
        for shared in ("vae", "encode_text"):
            if shared in self.__dict__:
                other.__dict__[shared] = self.__dict__[shared]
        return other

    def _load(self, folder: str) -> Any:
        from models.released import from_pretrained

        path = self.project.root / folder
        if not path.is_dir():
            raise MissingArtifact(f"{path} is gone; train {self.parts.denoiser_asset} again, or restore the folder")
        return from_pretrained(path).to(self.device).eval().requires_grad_(False)

    @cached_property
    def encode_text(self) -> Any:
        """The prompt encoder, which must be the one that the denoiser was trained with."""
        from ops.data import text_encoder

        found = text_encoder.version(self.project)
        if found != self.parts.text_encoder_version:
            raise SamplingError(
                f"the recipe's text encoder ({self.project.settings.text_encoder.weights}, "
                f"{self.project.settings.text_encoder.max_tokens} tokens) is not the one that this model was trained "
                f"with ({self.parts.text_encoder}, {self.parts.max_tokens} tokens): set text_encoder in params.yaml"
            )
        return text_encoder.PromptEncoder(self.project)

    def decode(self, latent: torch.Tensor) -> Any:
        """A latent [1, C, t, h, w] in the denoiser's units to frames, uint8 [T, H, W, 3]."""
        import torch

        shift = torch.tensor(self.parts.shift, device=self.device).view(1, -1, 1, 1, 1)
        scale = torch.tensor(self.parts.scale, device=self.device).view(1, -1, 1, 1, 1)
        with torch.inference_mode():
            video = self.vae.decode(latent / scale + shift)
        pixels = (video[0].float() / 2 + 0.5).clamp(0, 1).mul(255).round().to(torch.uint8)
        return pixels.permute(1, 2, 3, 0).cpu().numpy()
