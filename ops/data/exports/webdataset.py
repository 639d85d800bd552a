"""The training set as WebDataset: tar shards of one split, kind and bucket, which need no source file any more.

A shard lies at `SPLIT/KIND-BUCKET-NUMBER.tar`, for example `train/video-17x48x64-00000.tar`. Each sample is three
members: `KEY.mp4` or `KEY.png`, `KEY.txt` (the caption) and `KEY.json` (where it comes from, and its scores).

The pixels are those that training sees: the sample's own frames, cropped and resized to its bucket. A picture is
lossless. A film is H.264 in yuv420p at the quality of all films that soraflow writes, so that it differs from the
decoded source by what that encoder loses; its frame rate is `dataset.fps`.

The same dataset gives the same bytes, with the same builds of FFmpeg and Pillow. Samples of one source lie side by
side, so that it is decoded once a shard: shuffle while reading.
"""

from __future__ import annotations

import io
import json
import tarfile
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ops.data.buckets import Bucket
from ops.data.columns import Sample
from ops.data.dataset_version import TRAINING_SET, keep
from ops.data.dvc import version as current_version
from ops.data.exports.curated_files import CuratedFiles
from ops.data.exports.manifest import Export, ExportError, Manifest
from ops.data.exports.sample_facts import Facts
from ops.data.pixels import VERSIONS, UnreadableSource, read_samples
from ops.data.samples import training_samples
from ops.runtime import mp4
from ops.runtime.files import digest, replacing
from ops.runtime.mp4 import codec, write_mp4
from ops.runtime.project import Project

SHARD_SAMPLES = 256


@dataclass(frozen=True)
class Shard:
    """`made_from` is a hash of everything that decides its bytes, short of the code and of the encoders' builds."""

    name: str
    samples: list[Sample]
    made_from: str


def export_webdataset(
    project: Project,
    folder: Path,
    samples_per_shard: int = SHARD_SAMPLES,
    on_sample: Callable[[int, int], None] | None = None,
    version: str | None = None,
) -> Export:
    """Write the shards and `manifest.json`; a shard that is there already, unchanged, is not written again.

    `on_sample` is told how many samples are done, and of how many, those of finished shards included. `version` is the
    DVC hash of the training set that is meant, whatever has become current since; None is the current one.

    Raises:
        ExportError: the training set is empty, a source has changed since, what the version was made from is not known,
            or the folder holds something else.
        MissingVersion: the training set has no DVC version yet, or that version is not kept any more (LostVersion).
    """
    dataset = keep(project, version or current_version(project, TRAINING_SET))
    facts = Facts(project, dataset)
    shards = plan(training_samples(project, version=dataset.hash), facts, samples_per_shard)
    if not shards:
        raise ExportError(f"training set {dataset.hash} is empty; nothing to export")
    manifest = Manifest.at(folder, "webdataset", {TRAINING_SET: dataset.hash})
    missing = set(manifest.begin({shard.name: shard.made_from for shard in shards}))
    total = sum(len(shard.samples) for shard in shards)
    files = CuratedFiles(project)
    done = 0
    for shard in shards:
        if shard.name in missing:
            for sample in shard.samples:
                files.demand(sample["root"], sample["path"], sample["sha256"])
            with replacing(manifest.place(shard.name)) as temporary:
                for number in _write(temporary, project, shard, facts):
                    if on_sample:
                        on_sample(done + number, total)
            manifest.add(shard.name, shard.made_from)
        done += len(shard.samples)
    if on_sample:
        on_sample(done, total)
    return manifest.finish(total, len(missing), {"buckets": _counts(shards)})


def plan(samples: list[Sample], facts: Facts, samples_per_shard: int) -> list[Shard]:
    """Samples of one split, kind and bucket, those of one source side by side, in parts of `samples_per_shard`."""
    if samples_per_shard < 1:
        raise ExportError(f"samples_per_shard is {samples_per_shard}, but a shard holds at least one sample")
    groups: dict[tuple[str, str, Bucket], list[Sample]] = defaultdict(list)
    for sample in sorted(samples, key=lambda row: (row["root"], row["path"], row["sample_id"])):
        groups[sample["split"], sample["kind"], Bucket.parse(sample["bucket"])].append(sample)
    return [
        Shard(f"{split}/{kind}-{bucket}-{number:05d}.tar", part, _made_from(part, facts))
        for (split, kind, bucket), members in sorted(groups.items())
        for number, part in enumerate(_parts(members, samples_per_shard))
    ]


def _parts(members: list[Sample], size: int) -> Iterator[list[Sample]]:
    for start in range(0, len(members), size):
        yield members[start : start + size]


def _made_from(samples: list[Sample], facts: Facts) -> str:
    made_with = [codec(), mp4.VERSION, VERSIONS]
    return digest([*made_with, [[sample["caption"], facts.of(sample)] for sample in samples]])


def _write(path: Path, project: Project, shard: Shard, facts: Facts) -> Iterator[int]:
    """Write a shard and yield how many samples it holds, sample by sample."""
    try:
        with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
            for number, (sample, pixels) in enumerate(read_samples(project, shard.samples), start=1):
                about = facts.of(sample)
                if sample["kind"] == "image":
                    _member(tar, f"{sample['sample_id']}.png", _png(pixels[0]))
                else:
                    _member(tar, f"{sample['sample_id']}.mp4", _mp4(pixels, about["fps"]))
                _member(tar, f"{sample['sample_id']}.txt", sample["caption"].encode())
                _member(tar, f"{sample['sample_id']}.json", json.dumps(about, sort_keys=True).encode())
                yield number
    except UnreadableSource as error:
        raise ExportError(str(error)) from error


def _member(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    """Add a file without a time or an owner: `TarInfo` begins with zeros, and with permissions 644."""
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def _png(picture: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(picture).save(content, format="PNG")
    return content.getvalue()


def _mp4(frames: NDArray[np.uint8], fps: float) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sample.mp4"
        write_mp4(path, frames, fps)
        return path.read_bytes()


def _counts(shards: list[Shard]) -> list[dict[str, object]]:
    """One entry a split, kind and bucket."""
    counts: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0, 0])
    for shard in shards:
        first = shard.samples[0]
        count = counts[first["split"], first["kind"], first["bucket"]]
        count[0] += len(shard.samples)
        count[1] += 1
    return [
        {"split": split, "kind": kind, "bucket": bucket, "samples": samples, "shards": number}
        for (split, kind, bucket), (samples, number) in counts.items()
    ]
