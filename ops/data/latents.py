"""The `latents` asset: every training sample through the VAE once, as posteriors in safetensors shards.

Mean and log-variance are stored in float32, so that training can draw from the posterior anew each time; the
per-channel shift and scale that bring a draw to mean 0 and variance 1 are measured over the training split.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ops.config.training import Launch
from ops.data import tensor_shards
from ops.data.columns import LATENTS, Sample
from ops.data.latent_moments import LatentError, Moments
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

ASSET = "latents"
SHARD_SAMPLES = 64

INDEX = LATENTS.schema


class LatentsIdentity(Identity):
    dtype: Literal["float32"] = "float32"
    shard_samples: int
    pixels: dict[str, int]
    """The versions of what turns files into pixels."""


class LatentsResults(Results):
    shift: tuple[float, ...]
    scale: tuple[float, ...]
    """One number a channel: `shift` is taken from a draw, and the rest times `scale` is in the denoiser's units."""
    channels: int
    samples: int
    train_samples: int
    """Those that shift and scale were measured over."""
    shards: int
    dtype: Literal["float32"]
    not_finite: dict[str, str]
    """Sample → its source, of those that the VAE has no latent for. They are stored as they came and are not measured;
    trainings leave them out."""


def cache_latents(project: Project, dataset: str | None = None) -> Artifact[LatentsResults]:
    """Encode what is not encoded yet of a version of the training set (None: the current one) and measure shift and
    scale.

    Resumes at the first missing shard.

    Raises:
        LatentError: no samples, or more of `not_finite` than `launch.max_left_out_share` lets be left out.
    """
    from ops.data.dvc import version

    vae = current(project, project.settings.vae.architecture, Weights)
    dataset = dataset or version(project, "training_set")
    work = work_of(project, vae, dataset)
    if done := work.finished():
        return done
    samples = training_samples(project, version=dataset)
    samples.sort(key=lambda row: (row["root"], row["path"], row["sample_id"]))
    if not samples:
        raise LatentError(f"version {dataset} of the training set is empty; nothing to encode")
    return encode_all(work, samples, vae)


def work_of(project: Project, vae: Artifact[Weights], dataset: str) -> Work[LatentsResults]:
    """The work of encoding a version of the training set with a VAE."""
    from ops.data.pixels import VERSIONS

    inputs = {vae.asset: vae.version, "training_set": dataset}
    return Work(project, ASSET, inputs, LatentsIdentity(shard_samples=SHARD_SAMPLES, pixels=VERSIONS), LatentsResults)


def planned(project: Project) -> Work[LatentsResults]:
    """That of the current VAE and training set."""
    from ops.data.dvc import version

    vae = current(project, project.settings.vae.architecture, Weights)
    return work_of(project, vae, version(project, "training_set"))


def vae_of(latents: Artifact[LatentsResults]) -> tuple[str, str]:
    """(asset, version) of the VAE that latents were made with."""
    return next((asset, version) for asset, version in latents.inputs.items() if asset != "training_set")


def encode_all(work: Work[LatentsResults], samples: list[Sample], vae: Artifact[Weights]) -> Artifact[LatentsResults]:
    """Write the shards and the index into the work's folder and finish it. Samples come grouped by source."""
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
            dtype="float32",
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
    from ops.data.pixels import read_samples

    tensors: dict[str, torch.Tensor] = {}
    for number, (sample, pixels) in enumerate(read_samples(encoder.project, samples), start=1):
        mean, log_variance = encoder(sample, pixels)
        tensors[f"{sample['sample_id']}.mean"] = mean
        tensors[f"{sample['sample_id']}.log_variance"] = log_variance
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
            if not (mean.isfinite().all() and log_variance.isfinite().all()):
                not_finite[name] = sample["path"]
            elif sample["split"] == "train":
                moments.add(mean, log_variance)
            columns = {key: value for key, value in sample.items() if key in INDEX.names}
            index.append({**columns, "shard": path.name, "shape": list(mean.shape)})
    return index


class _Encoder:
    """The VAE of an artifact, loaded when the first sample needs it."""

    def __init__(self, project: Project, vae: Artifact[Weights]) -> None:
        self.project, self._vae = project, vae
        self._model: Any = None

    def __call__(self, sample: Sample, pixels: NDArray[np.uint8]) -> tuple[torch.Tensor, torch.Tensor]:
        """(mean, log-variance) of a sample's pixels [T, H, W, 3]: [C, t, h, w], float32, on the CPU."""
        import torch

        from models.pixels import to_video
        from ops.runtime.device import accelerator

        if self._model is None:
            self._model = load_vae(self.project, self._vae)
        device = accelerator(self.project.settings.launch.accelerator)
        video = to_video(torch.from_numpy(pixels).to(device))[None]
        with torch.inference_mode():
            posterior = self._model.encode(video)
        mean, log_variance = posterior.mean[0].float().cpu(), posterior.log_variance[0].float().cpu()
        return mean.contiguous(), log_variance.contiguous()


def load_vae(project: Project, vae: Artifact[Weights]) -> object:
    """The best checkpoint of a VAE artifact, in evaluation mode, on this process's device."""
    from models.released import from_pretrained
    from ops.runtime.device import accelerator

    model = from_pretrained(vae.folder / vae.results.released)
    return model.to(accelerator(project.settings.launch.accelerator)).eval().requires_grad_(False)


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
        """(mean, log-variance), [C, t, h, w], as the VAE gave them: not shifted or scaled."""
        shard = self.row(sample_id)["shard"]
        return self._shards.get(shard, f"{sample_id}.mean"), self._shards.get(shard, f"{sample_id}.log_variance")
