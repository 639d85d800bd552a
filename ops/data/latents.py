"""The `latents` asset: what the VAE makes of the training set, as posteriors.

`latents.mode: cached` sends every sample through the VAE once and keeps mean and log-variance in safetensors shards, so
that training can draw from the posterior anew each time. `online` keeps none: a training encodes what a step takes, and
the asset is what it needs besides, measured over a part of the training split. In either mode that is the per-channel
shift and scale that bring a draw to mean 0 and variance 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field, JsonValue

from ops.config import Mode, Precision
from ops.data import tensor_shards
from ops.data.columns import LATENTS
from ops.data.latent_moments import LatentError
from ops.data.shard_index import ShardIndex
from ops.runtime.artifacts import Artifact, Identity, Results, Work, current
from ops.runtime.project import Project
from ops.weights.results import BASE, ReleasedDenoiser, Weights

if TYPE_CHECKING:
    import torch


ASSET = "latents"
SHARD_SAMPLES = 64
FORM = 2
"""Raised when shards are laid otherwise. 2: each of one bucket."""

INDEX = LATENTS.schema


class LatentsIdentity(Identity):
    """Of `cached`."""

    form: int = FORM
    dtype: Precision = "float32"
    encoder_dtype: Precision = "float32"
    shard_samples: int
    pixels: dict[str, int]
    """The versions of what turns files into pixels."""
    cuts: tuple[str, ...]
    """Those that stages are trained on; of samples that only the VAE sees there is no latent."""

    def setting(self, key: str) -> str | None:
        return {"dtype": "latents.stored_dtype", "encoder_dtype": "latents.encoder_dtype"}.get(key, key)


class OnlineIdentity(Identity):
    """Of `online`."""

    mode: Literal["online"] = "online"
    encoder_dtype: Precision
    measured_samples: int
    redraw_windows: bool
    pixels: dict[str, int]
    cuts: tuple[str, ...]

    def payload(self) -> dict[str, JsonValue]:
        """Without the windows where they are kept, as they were before there was a choice."""
        payload = super().payload()
        if not self.redraw_windows:
            del payload["redraw_windows"]
        return payload

    def setting(self, key: str) -> str | None:
        return key if key.startswith("pixels") else f"latents.{key}"


class LatentsResults(Results):
    mode: Mode = "cached"
    """Of `online` nothing but these results is kept."""
    redraw_windows: bool = False
    """Of `online`: whether each epoch of a training draws other windows of its clips."""
    shift: tuple[float, ...]
    scale: tuple[float, ...]
    """One number a channel: `shift` is taken from a draw, and the rest times `scale` is in the denoiser's units."""
    channels: int
    samples: int
    """That were encoded."""
    train_samples: int
    """Those that shift and scale were measured over, where they were: with `denoiser.released` they are those that its
    weights know."""
    shards: int
    dtype: Precision
    """Of the shards; of `online` what the VAE computes in."""
    not_finite: dict[str, str]
    """Sample → its source, of those that the VAE has no latent for. They are stored as they came and are not measured;
    trainings leave them out."""
    unreadable: dict[str, str] = Field(default_factory=dict)
    """Sample → what was wrong with its source when it was to be encoded. Trainings leave them out."""


def work_of(project: Project, vae: Artifact[Weights], dataset: str) -> Work[LatentsResults]:
    """The work of encoding a version of the training set with a VAE, or of measuring what `online` needs of it."""
    from ops.data.pixels import VERSIONS

    settings = project.settings.latents
    identity: Identity
    if settings.mode == "online":
        identity = OnlineIdentity(
            encoder_dtype=settings.encoder_dtype,
            measured_samples=settings.measured_samples,
            redraw_windows=settings.redraw_windows,
            pixels=VERSIONS,
            cuts=project.settings.stage_cuts(),
        )
    else:
        identity = LatentsIdentity(
            dtype=settings.stored_dtype,
            encoder_dtype=settings.encoder_dtype,
            shard_samples=SHARD_SAMPLES,
            pixels=VERSIONS,
            cuts=project.settings.stage_cuts(),
        )
    inputs = {vae.asset: vae.version, "training_set": dataset}
    if base := base_of(project):
        inputs[base.asset] = base.version
    return Work(project, ASSET, inputs, identity, LatentsResults)


def base_of(project: Project) -> Artifact[ReleasedDenoiser] | None:
    """The finished denoiser in whose units the latents of this recipe are; None where it starts from none."""
    return current(project, BASE, ReleasedDenoiser) if project.settings.denoiser.released else None


def planned(project: Project) -> Work[LatentsResults]:
    """That of the current VAE and training set."""
    from ops.data.dvc import version

    vae = current(project, project.settings.vae.asset, Weights)
    return work_of(project, vae, version(project, "training_set"))


def vae_of(latents: Artifact[LatentsResults]) -> tuple[str, str]:
    """(asset, version) of the VAE that latents were made with."""
    return next((asset, version) for asset, version in latents.inputs.items() if asset not in ("training_set", BASE))


class LatentSet:
    """Reads the posteriors of a `latents` artifact by sample id; may be sent to worker processes."""

    def __init__(self, artifact: Artifact[LatentsResults]) -> None:
        from models.latent_scale import LatentScale

        self._index = ShardIndex(artifact.folder / "index.parquet", "sample_id")
        self.scale = LatentScale.of(artifact.results.shift, artifact.results.scale)
        self._shards = tensor_shards.Shards(artifact.folder)

    def __len__(self) -> int:
        return len(self._index)

    def __contains__(self, sample_id: str) -> bool:
        return sample_id in self._index

    def __iter__(self) -> Iterator[str]:
        return iter(self._index)

    def __getitem__(self, sample_id: str) -> tuple[torch.Tensor, torch.Tensor]:
        """(mean, log-variance), float32 [C, t, h, w], as the VAE gave them: not shifted or scaled.

        Raises:
            LatentError: there is none of this sample.
        """
        if sample_id not in self._index:
            raise LatentError(f"sample {sample_id} has no latent in {self._shards.folder}: make `latents` again")
        shard = self._index[sample_id]
        mean, log_variance = self._shards.get(shard, *(f"{sample_id}.{name}" for name in ("mean", "log_variance")))
        return mean.float(), log_variance.float()
