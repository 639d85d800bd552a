"""The `latents` asset: what the VAE makes of the training set, as posteriors.

`latents.mode: cached` sends every sample through the VAE once and keeps mean and log-variance in safetensors shards, so
that training can draw from the posterior anew each time. `online` keeps none: a training encodes what a step takes, and
the asset is what it needs besides, measured over a part of the training split. In either mode that is the per-channel
shift and scale that bring a draw to mean 0 and variance 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import JsonValue

from ops.config import Mode, Precision
from ops.config.training import Launch
from ops.data import tensor_shards
from ops.data.columns import LATENTS, Sample
from ops.data.latent_moments import LatentError, Moments
from ops.data.sample_index import SampleIndex
from ops.data.samples import training_samples
from ops.runtime import tables
from ops.runtime.artifacts import Artifact, Identity, Results, Work, current
from ops.runtime.files import digest, sha256
from ops.runtime.progress import Progress
from ops.runtime.project import Project
from ops.runtime.tables import Row
from ops.weights.results import Weights

if TYPE_CHECKING:
    import torch

    from ops.data.latent_encoder import LatentEncoder

ASSET = "latents"
SHARD_SAMPLES = 64

INDEX = LATENTS.schema


class LatentsIdentity(Identity):
    """Of `cached`."""

    dtype: Precision = "float32"
    encoder_dtype: Precision = "float32"
    shard_samples: int
    pixels: dict[str, int]
    """The versions of what turns files into pixels."""

    def payload(self) -> dict[str, JsonValue]:
        """Without the encoder's type where it is the one that all were made by before there was a choice."""
        payload = super().payload()
        if self.encoder_dtype == "float32":
            del payload["encoder_dtype"]
        return payload

    def setting(self, key: str) -> str | None:
        return {"dtype": "latents.stored_dtype", "encoder_dtype": "latents.encoder_dtype"}.get(key, key)


class OnlineIdentity(Identity):
    """Of `online`."""

    mode: Literal["online"] = "online"
    encoder_dtype: Precision
    measured_samples: int
    pixels: dict[str, int]

    def setting(self, key: str) -> str | None:
        return key if key.startswith("pixels") else f"latents.{key}"


class LatentsResults(Results):
    mode: Mode = "cached"
    """Of `online` nothing but these results is kept."""
    shift: tuple[float, ...]
    scale: tuple[float, ...]
    """One number a channel: `shift` is taken from a draw, and the rest times `scale` is in the denoiser's units."""
    channels: int
    samples: int
    """That were encoded."""
    train_samples: int
    """Those that shift and scale were measured over."""
    shards: int
    dtype: Precision
    """Of the shards; of `online` what the VAE computes in."""
    not_finite: dict[str, str]
    """Sample → its source, of those that the VAE has no latent for. They are stored as they came and are not measured;
    trainings leave them out."""


def make_latents(project: Project, dataset: str | None = None) -> Artifact[LatentsResults]:
    """What the recipe's mode makes of a version of the training set (None: the current one).

    Raises:
        LatentError: no samples, or more without finite latents than `launch.max_left_out_share` lets be left out.
    """
    from ops.data.dvc import version

    vae = current(project, project.settings.vae.architecture, Weights)
    work = work_of(project, vae, dataset or version(project, "training_set"))
    if done := work.finished():
        return done
    return measure(work, vae) if project.settings.latents.mode == "online" else encode_all(work, vae)


def work_of(project: Project, vae: Artifact[Weights], dataset: str) -> Work[LatentsResults]:
    """The work of encoding a version of the training set with a VAE, or of measuring what `online` needs of it."""
    from ops.data.pixels import VERSIONS

    settings = project.settings.latents
    identity: Identity
    if settings.mode == "online":
        identity = OnlineIdentity(
            encoder_dtype=settings.encoder_dtype, measured_samples=settings.measured_samples, pixels=VERSIONS
        )
    else:
        identity = LatentsIdentity(
            dtype=settings.stored_dtype,
            encoder_dtype=settings.encoder_dtype,
            shard_samples=SHARD_SAMPLES,
            pixels=VERSIONS,
        )
    return Work(project, ASSET, {vae.asset: vae.version, "training_set": dataset}, identity, LatentsResults)


def planned(project: Project) -> Work[LatentsResults]:
    """That of the current VAE and training set."""
    from ops.data.dvc import version

    vae = current(project, project.settings.vae.architecture, Weights)
    return work_of(project, vae, version(project, "training_set"))


def vae_of(latents: Artifact[LatentsResults]) -> tuple[str, str]:
    """(asset, version) of the VAE that latents were made with."""
    return next((asset, version) for asset, version in latents.inputs.items() if asset != "training_set")


def measure(work: Work[LatentsResults], vae: Artifact[Weights]) -> Artifact[LatentsResults]:
    """Measure shift and scale over `latents.measured_samples` of the training split, drawn by its version, and finish
    the work. Sources that are gone or broken, and latents that are not finite, are measured by none."""
    import torch

    from ops.data.latent_encoder import LatentEncoder
    from ops.data.pixel_workers import decoding

    project, settings = work.project, work.project.settings.latents
    index = SampleIndex.of(project, work.inputs["training_set"])
    drawn = _drawn(index, settings.measured_samples, work.inputs["training_set"])
    if not drawn:
        raise LatentError(f"version {work.inputs['training_set']} of the training set has nothing to train on")
    moments, unusable = Moments(), dict[str, str]()
    encode = LatentEncoder(project, vae, settings.encoder_dtype)
    progress = Progress.of(project, ASSET, len(drawn), "samples measured")
    with closing(decoding(project, project.settings.launch, lambda sample: [sample])) as reading:
        each = max(1, 4 * reading.workers)
        for start in range(0, len(drawn), each):
            part = drawn[start : start + each]
            for sample, pixels in zip(part, reading.read(part), strict=True):
                if isinstance(pixels, str):
                    unusable[sample["sample_id"]] = pixels
                else:
                    _count(sample, *encode(torch.from_numpy(pixels)), moments, unusable)
            progress.update(start + len(part), note=part[-1]["bucket"])
    _require_few(unusable, len(drawn), vae, project.settings.launch)
    shift, scale = moments.shift_and_scale()
    return work.finish(
        version=digest({"inputs": work.inputs, "settings": work.identity.payload(), "shift": shift, "scale": scale}),
        results=LatentsResults(
            mode="online",
            shift=tuple(shift),
            scale=tuple(scale),
            channels=len(scale),
            samples=len(drawn),
            train_samples=moments.samples,
            shards=0,
            dtype=settings.encoder_dtype,
            not_finite=unusable,
        ),
    )


def _drawn(index: SampleIndex, count: int, version: str) -> list[Sample]:
    """As many of the training split, grouped by source."""
    members = [ids for _, ids in sorted(index.members("train", ("image", "video")).items())]
    ends = np.cumsum([len(ids) for ids in members], dtype=np.int64)
    among = int(ends[-1]) if len(ends) else 0
    random = np.random.Generator(np.random.PCG64(int(digest([version, "measured"])[:16], 16)))
    places = random.choice(among, min(count, among), replace=False, shuffle=False).tolist() if among else []
    buckets = np.searchsorted(ends, places, "right").tolist()
    names = [members[each][place - int(ends[each])] for each, place in zip(buckets, places, strict=True)]
    return sorted(index.rows(names), key=_by_source)


def _by_source(sample: Sample) -> tuple[str, str, str]:
    return sample["root"], sample["path"], sample["sample_id"]


def encode_all(work: Work[LatentsResults], vae: Artifact[Weights]) -> Artifact[LatentsResults]:
    """Encode what is not encoded yet, write the index, measure shift and scale and finish the work. Resumes at the
    first missing shard."""
    dataset = work.inputs["training_set"]
    samples = sorted(training_samples(work.project, version=dataset), key=_by_source)
    if not samples:
        raise LatentError(f"version {dataset} of the training set is empty; nothing to encode")
    work.folder.mkdir(parents=True, exist_ok=True)
    moments = Moments()
    index: list[Row] = []
    not_finite: dict[str, str] = {}
    encoder = _Encoder(work.project, vae)
    progress = Progress.of(work.project, ASSET, len(samples), "samples")
    shards = list(tensor_shards.planned(work.folder, samples, SHARD_SAMPLES))
    for path, part in shards:
        if not path.is_file():
            _write_shard(path, part, encoder, progress, done=len(index))
        index += _register(path, part, moments, not_finite)
        progress.update(len(index))
    _require_few(not_finite, len(index), vae, work.project.settings.launch)
    tables.write(work.folder / "index.parquet", index, INDEX)
    shift, scale = moments.shift_and_scale()
    return work.finish(
        version=digest([sha256(path) for path, _ in shards]),
        results=LatentsResults(
            shift=tuple(shift),
            scale=tuple(scale),
            channels=len(scale),
            samples=len(index),
            train_samples=moments.samples,
            shards=len({row["shard"] for row in index}),
            dtype=work.project.settings.latents.stored_dtype,
            not_finite=not_finite,
        ),
    )


def _require_few(not_finite: dict[str, str], among: int, vae: Artifact[Weights], launch: Launch) -> None:
    allowed = launch.may_leave_out(among)
    if len(not_finite) > allowed:
        listed = ", ".join(f"{sample} of {source}" for sample, source in not_finite.items())
        raise LatentError(
            f"{vae.asset} gives no finite latents for {len(not_finite)} of {among} samples, and "
            f"launch.max_left_out_share {launch.max_left_out_share:g} lets {allowed} be left out: {listed}. "
            "Train the VAE with a lower learning rate, or raise launch.max_left_out_share"
        )


def _write_shard(path: Path, samples: Sequence[Sample], encoder: _Encoder, progress: Progress, done: int) -> None:
    import torch

    dtype = getattr(torch, encoder.project.settings.latents.stored_dtype)
    tensors: dict[str, torch.Tensor] = {}
    for number, (sample, mean, log_variance) in enumerate(encoder.all(samples), start=1):
        tensors[f"{sample['sample_id']}.mean"] = mean.to(dtype)
        tensors[f"{sample['sample_id']}.log_variance"] = log_variance.to(dtype)
        progress.update(done + number, note=sample["bucket"])
    tensor_shards.write(path, tensors)


def _register(path: Path, samples: Sequence[Sample], moments: Moments, not_finite: dict[str, str]) -> list[Row]:
    """The index rows of a shard's samples; `moments` and `not_finite` learn of them."""
    from safetensors import safe_open

    index = []
    with safe_open(path, framework="pt") as shard:
        for sample in samples:
            name = sample["sample_id"]
            mean, log_variance = shard.get_tensor(f"{name}.mean"), shard.get_tensor(f"{name}.log_variance")
            _count(sample, mean, log_variance, moments, not_finite)
            columns = {key: value for key, value in sample.items() if key in INDEX.names}
            index.append({**columns, "shard": path.name, "shape": list(mean.shape)})
    return index


def _count(
    sample: Sample, mean: torch.Tensor, log_variance: torch.Tensor, moments: Moments, not_finite: dict[str, str]
) -> None:
    if not (mean.isfinite().all() and log_variance.isfinite().all()):
        not_finite[sample["sample_id"]] = sample["path"]
    elif sample["split"] == "train":
        moments.add(mean, log_variance)


class _Encoder:
    """Samples through the VAE of an artifact, which is loaded when the first one needs it."""

    def __init__(self, project: Project, vae: Artifact[Weights]) -> None:
        self.project, self._vae = project, vae
        self._encode: LatentEncoder | None = None

    def all(self, samples: Sequence[Sample]) -> Iterator[tuple[Sample, torch.Tensor, torch.Tensor]]:
        """Each with its mean and log-variance, float32 on the CPU. Samples come grouped by source."""
        import torch

        from ops.data.latent_encoder import LatentEncoder
        from ops.data.pixels import read_samples

        for sample, pixels in read_samples(self.project, samples):
            if self._encode is None:
                self._encode = LatentEncoder(self.project, self._vae, self.project.settings.latents.encoder_dtype)
            mean, log_variance = self._encode(torch.from_numpy(pixels))
            yield sample, mean.cpu(), log_variance.cpu()


class LatentSet:
    """Reads the posteriors of a `latents` artifact by sample id; may be sent to worker processes."""

    def __init__(self, artifact: Artifact[LatentsResults]) -> None:
        from models.latent_scale import LatentScale

        self._rows = {row["sample_id"]: row for row in tables.read(artifact.folder / "index.parquet")}
        self.scale = LatentScale.of(artifact.results.shift, artifact.results.scale)
        self._shards = tensor_shards.Shards(artifact.folder)

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, sample_id: str) -> bool:
        return sample_id in self._rows

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def row(self, sample_id: str) -> Row:
        """The index row: kind, split, bucket and latent shape."""
        try:
            return self._rows[sample_id]
        except KeyError:
            folder = self._shards.folder
            raise LatentError(f"sample {sample_id} has no latent in {folder}: make `latents` again") from None

    def __getitem__(self, sample_id: str) -> tuple[torch.Tensor, torch.Tensor]:
        """(mean, log-variance), float32 [C, t, h, w], as the VAE gave them: not shifted or scaled."""
        shard = self.row(sample_id)["shard"]
        mean, log_variance = (self._shards.get(shard, f"{sample_id}.{name}") for name in ("mean", "log_variance"))
        return mean.float(), log_variance.float()
