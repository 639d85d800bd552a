"""How `latents` are made: encoded by all workers of a node or of a Ray cluster, or measured for trainings online."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from ops.catalogue import KINDS
from ops.config.training import Launch
from ops.data import tensor_shards
from ops.data.columns import Sample
from ops.data.latent_moments import LatentError, Moments
from ops.data.latents import ASSET, INDEX, LatentsResults, base_of, work_of
from ops.data.sample_index import Numbers, SampleIndex
from ops.runtime import parallel, tables
from ops.runtime.artifacts import Artifact, Work, current
from ops.runtime.files import digest
from ops.runtime.parallel import Failure, Resources
from ops.runtime.progress import Progress
from ops.runtime.project import Project
from ops.runtime.tables import Row
from ops.weights.content import weights_hash
from ops.weights.results import Weights

if TYPE_CHECKING:
    import torch

    from ops.data.latent_encoder import LatentEncoder

NAMED = 8
"""Shards in an error: what ails one may ail all."""


def make_latents(project: Project, dataset: str | None = None) -> Artifact[LatentsResults]:
    """What the recipe's mode makes of a version of the training set (None: the current one).

    Raises:
        LatentError: no samples, a VAE that `denoiser.released` does not know, or more without finite latents than
            `launch.max_left_out_share` lets be left out.
    """
    from ops.data.dvc import version

    vae = current(project, project.settings.vae.asset, Weights)
    work = work_of(project, vae, dataset or version(project, "training_set"))
    _require_vae_of_base(project, vae)
    if done := work.finished():
        return done
    return measure(work, vae) if project.settings.latents.mode == "online" else encode_all(work, vae)


def _require_vae_of_base(project: Project, vae: Artifact[Weights]) -> None:
    base = base_of(project)
    if base and base.results.vae not in (None, weights_hash(vae.folder / vae.results.released)):
        raise LatentError(
            f"denoiser.released is '{base.results.source}', whose latents another VAE made than {vae.asset} "
            f"{vae.version}, and those of this one mean nothing to it: name its own in vae.released"
        )


def _units(project: Project, moments: Moments) -> tuple[list[float], list[float]]:
    """Shift and scale: as measured, or as the finished denoiser knows them."""
    if base := base_of(project):
        return list(base.results.shift), list(base.results.scale)
    return moments.shift_and_scale()


def measure(work: Work[LatentsResults], vae: Artifact[Weights]) -> Artifact[LatentsResults]:
    """Measure shift and scale over `latents.measured_samples` of the training split, drawn by its version, and finish
    the work. Sources that are gone or broken, and latents that are not finite, are measured by none."""
    import torch

    from ops.data.latent_encoder import LatentEncoder
    from ops.data.pixel_workers import decoding

    project, settings = work.project, work.project.settings.latents
    index = SampleIndex.of(project, work.inputs["training_set"])
    drawn = _drawn(index, project.settings.stage_cuts(), settings.measured_samples, work.inputs["training_set"])
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
    shift, scale = _units(project, moments)
    return work.finish(
        version=digest({"inputs": work.inputs, "settings": work.identity.payload(), "shift": shift, "scale": scale}),
        results=LatentsResults(
            mode="online",
            redraw_windows=settings.redraw_windows,
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


def _drawn(index: SampleIndex, cuts: Sequence[str], count: int, version: str) -> list[Sample]:
    """As many of the training split of these cuts, grouped by source."""
    members = [ids for cut in cuts for _, ids in sorted(index.members("train", KINDS, cut).items())]
    ends = np.cumsum([len(ids) for ids in members], dtype=np.int64)
    among = int(ends[-1]) if len(ends) else 0
    random = np.random.Generator(np.random.PCG64(int(digest([version, "measured"])[:16], 16)))
    places = random.choice(among, min(count, among), replace=False, shuffle=False).tolist() if among else []
    buckets = np.searchsorted(ends, places, "right").tolist()
    names = [members[each][place - int(ends[each])] for each, place in zip(buckets, places, strict=True)]
    return sorted(index.rows(names), key=_by_source)


def encode_all(work: Work[LatentsResults], vae: Artifact[Weights]) -> Artifact[LatentsResults]:
    """Encode the shards that are not there, write the index, and finish the work.

    A shard holds samples of one bucket. Each is encoded by itself: on this node by as many processes as
    `launch.ranks_per_node`, one an accelerator, or on the cluster where `curation.engine` is `ray`. One that is lost
    costs what it was at; that is begun once more, and all others go on.

    Raises:
        LatentError: shards are missing in the end. Those that are there stay.
    """
    project = work.project
    work.folder.mkdir(parents=True, exist_ok=True)
    shards = _shards(work)
    if not shards:
        raise LatentError(f"version {work.inputs['training_set']} of the training set is empty; nothing to encode")
    missing = [each for each in shards if not each.path.is_file()]
    progress = Progress.of(project, ASSET, len(shards), "shards")
    progress.update(len(shards) - len(missing))
    encode = _ShardEncoder(project, vae, work.inputs["training_set"])
    failed: dict[str, str] = {}
    for done, (shard, result) in enumerate(_over_workers(encode, missing), start=1):
        if isinstance(result, Failure):
            failed[shard.path.name] = result.reason
        progress.update(len(shards) - len(missing) + done, note=shard.bucket)
    if failed:
        told = "; ".join(f"{name}: {reason}" for name, reason in sorted(failed.items())[:NAMED])
        raise LatentError(
            f"{len(failed)} of {len(shards)} shards of latents could not be made, and the others are kept: {told}"
            f"{' …' * (len(failed) > NAMED)}. Mend that and run `soraflow run --select {ASSET}`, which makes these"
        )
    return _finished(work, vae, [each.path for each in shards])


def _over_workers(encode: _ShardEncoder, shards: Sequence[_Shard]) -> Iterator[tuple[_Shard, Failure | None]]:
    launch, curation = encode.project.settings.launch, encode.project.settings.curation
    if launch.ranks_per_node == 1 and curation.engine != "ray":
        for shard in shards:
            encode(shard)
            yield shard, None
        return
    settings = curation.model_copy(update={"workers": 0 if curation.engine == "ray" else launch.ranks_per_node})
    needs = Resources(curation.memory_limit_gib, accelerator=True)
    yield from parallel.map(encode, shards, settings, resources=needs, numbered=True)


class _Shard(NamedTuple):
    path: Path
    bucket: str
    samples: Numbers
    """By their numbers in the index of the training set."""


def _shards(work: Work[LatentsResults]) -> list[_Shard]:
    """All there will be: of each bucket, samples of one source beside each other, so that it is decoded once."""
    index, cuts = SampleIndex.of(work.project, work.inputs["training_set"]), work.project.settings.stage_cuts()
    buckets: dict[str, list[Numbers]] = defaultdict(list)
    for group, numbers in index.grouped():
        if group.cut in cuts:
            buckets[group.bucket].append(numbers)
    each = int(str(work.identity.payload()["shard_samples"]))
    return [
        _Shard(work.folder / f"{bucket}_{number:05d}.safetensors", bucket, members[start : start + each])
        for bucket, parts in sorted(buckets.items())
        for members in (index.by_source(np.sort(np.concatenate(parts))),)
        for number, start in enumerate(range(0, len(members), each))
    ]


class _Header(NamedTuple):
    """What a shard tells of itself, so that nobody reads its latents to know."""

    shard: str
    content: str
    """Digest of all its latents."""
    moments: Moments
    not_finite: dict[str, str]
    unreadable: dict[str, str]
    rows: list[Row]

    @classmethod
    def of(cls, path: Path) -> _Header:
        from safetensors import safe_open

        with safe_open(path, framework="pt") as shard:
            told = json.loads(shard.metadata()["soraflow"])
        return cls(path.name, **{**told, "moments": Moments.of_json(told["moments"])})

    def metadata(self) -> dict[str, str]:
        told = {**self._asdict(), "moments": self.moments.as_json()}
        del told["shard"]
        return {"soraflow": json.dumps(told, sort_keys=True)}


class _ShardEncoder:
    """Encodes a shard; sent to workers, each of which loads the VAE for its first one."""

    def __init__(self, project: Project, vae: Artifact[Weights], dataset: str) -> None:
        self.project, self._vae, self._dataset = project, vae, dataset
        self._encode: LatentEncoder | None = None

    def __call__(self, shard: _Shard) -> None:
        import torch

        dtype = getattr(torch, self.project.settings.latents.stored_dtype)
        index = SampleIndex.of(self.project, self._dataset)
        header = _Header(shard.path.name, "", Moments(), {}, {}, [])
        tensors: dict[str, torch.Tensor] = {}
        content = hashlib.sha256()
        for sample, found in self.encoded(index.at(shard.samples)):
            name = sample["sample_id"]
            if isinstance(found, str):
                header.unreadable[name] = found
                continue
            mean, log_variance = (each.to(dtype) for each in found)
            tensors |= {f"{name}.mean": mean, f"{name}.log_variance": log_variance}
            _count(sample, mean, log_variance, header.moments, header.not_finite)
            columns = {key: value for key, value in sample.items() if key in INDEX.names}
            header.rows.append({**columns, "shard": shard.path.name, "shape": list(mean.shape)})
            for each in (mean, log_variance):
                content.update(each.view(torch.uint8).numpy().tobytes())
        tensor_shards.write(shard.path, tensors, header._replace(content=content.hexdigest()).metadata())

    def encoded(self, samples: Sequence[Sample]) -> Iterator[tuple[Sample, tuple[torch.Tensor, torch.Tensor] | str]]:
        """Each with its mean and log-variance, float32 on the CPU, or what is wrong with its source."""
        import torch

        from ops.data.latent_encoder import LatentEncoder
        from ops.data.pixels import readable

        for sample, pixels in readable(self.project, samples):
            if isinstance(pixels, str):
                yield sample, pixels
                continue
            if self._encode is None:
                self._encode = LatentEncoder(self.project, self._vae, self.project.settings.latents.encoder_dtype)
            mean, log_variance = self._encode(torch.from_numpy(pixels))
            yield sample, (mean.cpu(), log_variance.cpu())


def _finished(work: Work[LatentsResults], vae: Artifact[Weights], shards: Sequence[Path]) -> Artifact[LatentsResults]:
    moments, contents, samples = Moments(), list[str](), 0
    not_finite, unreadable = dict[str, str](), dict[str, str]()

    def parts() -> Iterator[pa.Table]:
        nonlocal moments, samples
        for path in shards:
            header = _Header.of(path)
            moments = Moments.sum((moments, header.moments))
            contents.append(header.content)
            not_finite.update(header.not_finite)
            unreadable.update(header.unreadable)
            samples += len(header.rows)
            yield tables.of_rows(header.rows, INDEX)
        _require_few({**not_finite, **unreadable}, samples + len(unreadable), vae, work.project.settings.launch)

    tables.write_parts(work.folder / "index.parquet", parts(), INDEX)
    shift, scale = _units(work.project, moments)
    known = [shift, scale] if base_of(work.project) else []
    return work.finish(
        version=digest([*contents, *known]),
        results=LatentsResults(
            shift=tuple(shift),
            scale=tuple(scale),
            channels=len(scale),
            samples=samples,
            train_samples=moments.samples,
            shards=len(shards),
            dtype=work.project.settings.latents.stored_dtype,
            not_finite=not_finite,
            unreadable=unreadable,
        ),
    )


def _require_few(unusable: dict[str, str], among: int, vae: Artifact[Weights], launch: Launch) -> None:
    allowed = launch.may_leave_out(among)
    if len(unusable) > allowed:
        listed = ", ".join(f"{sample} of {source}" for sample, source in unusable.items())
        raise LatentError(
            f"{vae.asset} gives no finite latents for {len(unusable)} of {among} samples, and "
            f"launch.max_left_out_share {launch.max_left_out_share:g} lets {allowed} be left out: {listed}. "
            "Mend the sources, train the VAE with a lower learning rate, or raise launch.max_left_out_share"
        )


def _count(
    sample: Sample, mean: torch.Tensor, log_variance: torch.Tensor, moments: Moments, not_finite: dict[str, str]
) -> None:
    if not (mean.isfinite().all() and log_variance.isfinite().all()):
        not_finite[sample["sample_id"]] = sample["path"]
    elif sample["split"] == "train":
        moments.add(mean, log_variance)


def _by_source(sample: Sample) -> tuple[str, str, str]:
    return sample["root"], sample["path"], sample["sample_id"]
