"""A cut of the training set as WebDataset: tar shards of a split, kind and bucket, which need no source file any more.

A shard lies at `SPLIT/KIND-BUCKET-NUMBER.tar`, for example `train/video-17x48x64-00000.tar`. Each sample is three
members: `KEY.mp4` or `KEY.png`, `KEY.txt` (the caption) and `KEY.json` (where it comes from, and its scores).

The pixels are those that training sees: the sample's own frames, cropped and resized to its bucket. A picture is
lossless. A film is H.264 in yuv420p at the quality of all films that soraflow writes, so that it differs from the
decoded source by what that encoder loses; its frame rate is `dataset.fps`, or what its cut says in its place.

The same dataset gives the same bytes, with the same builds of FFmpeg and Pillow. Samples of one source lie side by
side, so that it is decoded once a shard: shuffle while reading.
"""

from __future__ import annotations

import io
import json
import tarfile
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ops.catalogue import Kind
from ops.config import DEFAULT_CUT
from ops.data.buckets import Bucket
from ops.data.columns import Sample, Split
from ops.data.dataset_version import TRAINING_SET, DatasetVersion, keep
from ops.data.dvc import version as current_version
from ops.data.exports.curated_files import CuratedFiles
from ops.data.exports.manifest import Export, ExportError, Manifest
from ops.data.exports.sample_facts import Facts, ItemFacts, SampleFacts
from ops.data.pixels import VERSIONS, UnreadableSource, read_samples
from ops.data.sample_index import Numbers, SampleIndex
from ops.runtime import mp4
from ops.runtime.files import digest, replacing
from ops.runtime.mp4 import codec, write_mp4
from ops.runtime.project import Project

SHARD_SAMPLES = 256


@dataclass(frozen=True, eq=False)
class Members:
    """The samples of one split, kind and bucket, those of one source side by side."""

    split: Split
    kind: Kind
    bucket: str
    numbers: Numbers
    """In the index of the training set."""


@dataclass(frozen=True)
class Shard:
    """The samples `start` to `end` of some members. `made_from` is a hash of all that decides its bytes, short of the
    code and of the encoders' builds."""

    name: str
    members: Members
    start: int
    end: int
    made_from: str


def export_webdataset(
    project: Project,
    folder: Path,
    samples_per_shard: int = SHARD_SAMPLES,
    on_sample: Callable[[int, int], None] | None = None,
    version: str | None = None,
    cut: str = DEFAULT_CUT,
) -> Export:
    """Write the shards and `manifest.json`; a shard that is there already, unchanged, is not written again.

    `on_sample` is told how many samples are done, and of how many, those of finished shards included. `version` is the
    DVC hash of the training set that is meant, whatever has become current since; None is the current one. `cut` names
    the samples of it, as its column `cut` does.

    Raises:
        ExportError: the training set has no such samples, a source has changed since, what the version was made from is
            not known, or the folder holds something else.
        MissingVersion: the training set has no DVC version yet, or that version is not kept any more (LostVersion).
    """
    dataset = keep(project, version or current_version(project, TRAINING_SET))
    content = Content(project, dataset, cut)
    shards = list(content.plan(samples_per_shard))
    manifest = Manifest.at(folder, "webdataset", {TRAINING_SET: dataset.hash})
    missing = set(manifest.begin({shard.name: shard.made_from for shard in shards}))
    total = sum(shard.end - shard.start for shard in shards)
    files = CuratedFiles(project)
    done = 0
    for shard in shards:
        if shard.name in missing:
            samples = content.samples(shard.members, shard.start, shard.end)
            for sample, _ in samples:
                files.demand(sample["root"], sample["path"], sample["sha256"])
            with replacing(manifest.place(shard.name)) as temporary:
                for number in _write(temporary, project, samples):
                    if on_sample:
                        on_sample(done + number, total)
            manifest.add(shard.name, shard.made_from)
        done += shard.end - shard.start
    if on_sample:
        on_sample(done, total)
    return manifest.finish(total, len(missing), {"cut": cut, "buckets": _counts(shards)})


class Content:
    """The samples of a cut, and what each says of itself, a shard's at a time."""

    def __init__(self, project: Project, dataset: DatasetVersion, cut: str) -> None:
        self._cut, self._dataset = cut, dataset
        self._facts = Facts(project, dataset, cut)
        self._index = SampleIndex(dataset.samples)
        self._of_members = lru_cache(1)(self._facts_of)

    def plan(self, samples_per_shard: int) -> Iterator[Shard]:
        """Members by split, kind and bucket, in parts of `samples_per_shard`."""
        if samples_per_shard < 1:
            raise ExportError(f"samples_per_shard is {samples_per_shard}, but a shard holds at least one sample")
        groups = [(group, numbers) for group, numbers in self._index.grouped() if group.cut == self._cut]
        if not groups:
            others = sorted({group.cut for group in self._index.groups})
            told = f"has no samples of the cut '{self._cut}', but of: {'; '.join(others)}" if others else "is empty"
            raise ExportError(f"training set {self._dataset.hash} {told}; nothing to export")
        for group, numbers in sorted(groups, key=lambda each: (*each[0][:2], Bucket.parse(each[0].bucket))):
            members = Members(group.split, group.kind, group.bucket, self._index.by_source(numbers))
            for number, start in enumerate(range(0, len(numbers), samples_per_shard)):
                name = f"{group.split}/{group.kind}-{group.bucket}-{number:05d}.tar"
                end = min(start + samples_per_shard, len(numbers))
                yield Shard(name, members, start, end, _made_from(self.samples(members, start, end)))

    def samples(self, members: Members, start: int, end: int) -> list[tuple[Sample, SampleFacts]]:
        """Those from `start` to `end`, each with its facts."""
        found = self._index.at(members.numbers[start:end])
        return list(zip(found, self._of_members(members).of(start, found), strict=True))

    def _facts_of(self, members: Members) -> ItemFacts:
        return self._facts.of_items(members.kind, self._index.column("item_id", members.numbers))


def _made_from(samples: Sequence[tuple[Sample, SampleFacts]]) -> str:
    made_with = [codec(), mp4.VERSION, VERSIONS]
    return digest([*made_with, [[sample["caption"], about] for sample, about in samples]])


def _write(path: Path, project: Project, samples: Sequence[tuple[Sample, SampleFacts]]) -> Iterator[int]:
    """Write a shard and yield how many samples it holds, sample by sample."""
    told = {sample["sample_id"]: about for sample, about in samples}
    try:
        with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
            read = read_samples(project, [sample for sample, _ in samples])
            for number, (sample, pixels) in enumerate(read, start=1):
                about = told[sample["sample_id"]]
                if sample["kind"] == "image":
                    _member(tar, f"{sample['sample_id']}.png", _png(pixels[0]))
                else:
                    assert about["fps"] is not None, "videos have a rate"
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


def _counts(shards: Sequence[Shard]) -> list[dict[str, object]]:
    """One entry a split, kind and bucket."""
    counts = Counter(shard.members for shard in shards)
    return [
        {
            "split": members.split,
            "kind": members.kind,
            "bucket": members.bucket,
            "samples": len(members.numbers),
            "shards": number,
        }
        for members, number in counts.items()
    ]
