"""A window of a clip drawn anew in every epoch, for trainings that decode what a step takes.

A training set names one window for each sample; the clip that it is of is longer. Where a clip begins and ends is told
by `curated_clips`, at the version that the training set was made from. So a version that is trained on in this way gets
a folder `clips/` beside its table (`ops.runtime.table_index`), mapped into memory, with

* `ids.npy`: the ids of all clips that were kept, ascending (bytes),
* `spans.npy`: [first frame, frame after the last] of each, int64, and `rates.npy`, frames a second, float64,
* `timed.npy`: where the `frame_times` of each begin and end in `times.f64` (float64, one after the other), which has
  none of clips at a constant rate.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from ops.config import Cut
from ops.curation.timeline import Times
from ops.data.columns import Sample
from ops.data.dataset_version import DatasetVersion, LostVersion, keep, table_of
from ops.data.frame_windows import windows
from ops.runtime import table_index, tables
from ops.runtime.files import replacing
from ops.runtime.project import Project

FORM = 1
"""Raised when the files are laid otherwise; those of another form are made anew."""
FOLDER = "clips"
SPAN = ("start_frame", "end_frame")
REMEDY = "make it again with `soraflow run --select '+training_set'`, or set latents.redraw_windows=false"


class ForeignWindow(ValueError):
    """A sample that was not cut as the recipe says; the message says what to do."""


class DrawnWindows:
    """What a sample shows in an epoch: a pure function of seed, sample and epoch. May be sent to other processes."""

    def __init__(self, project: Project, version: str, cut: Cut, seed: int) -> None:
        """Of the samples of a version of the training set that were cut so with this seed.

        Raises:
            LostVersion: the table of its clips is not known, or not kept, any more.
        """
        self._cut, self._seed, dataset = cut, seed, keep(project, version)
        self._version, self._samples = version, dataset.samples
        clips = _clips_of(project, dataset)
        table_index.made(dataset.samples, FORM, lambda folder: _written(clips, folder), FOLDER)
        self._open()

    def __getstate__(self) -> dict[str, object]:
        return {name: self.__dict__[name] for name in ("_cut", "_seed", "_version", "_samples")}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._open()

    def of(self, sample: Sample, epoch: int) -> Sample:
        """The sample with its window of an epoch. In epoch 0 that is the one of the training set; the windows of one
        clip differ in each, as they do there. An image stays what it is.

        Raises:
            ForeignWindow: the training set was cut in another way.
        """
        if epoch == 0 or sample["kind"] == "image":
            return sample
        start, end, fps, times = self._span(sample["item_id"])
        clip = (sample["item_id"], start, end, fps, self._cut, self._seed, times)
        named = windows(*clip)
        if sample["frame_indices"] not in named:
            raise self._foreign(sample)
        return {**sample, "frame_indices": windows(*clip, epoch=epoch)[named.index(sample["frame_indices"])]}

    def _span(self, item_id: str) -> tuple[int, int, float, Times | None]:
        number = table_index.number_of(item_id, self._ids)
        if number is None:
            raise LostVersion(f"curated_clips lacks the clip {item_id} of training set {self._version}: {REMEDY}")
        start, end = self._spans[number].tolist()
        first, last = self._timed[number].tolist()
        return start, end, float(self._rates[number]), tuple(self._times[first:last].tolist()) if last > first else None

    def _foreign(self, sample: Sample) -> ForeignWindow:
        return ForeignWindow(
            f"sample {sample['sample_id']} of training set {self._version} was not cut as `dataset` and `seed` say "
            f"now, so that no other window of its clip can be drawn: {REMEDY}"
        )

    def _open(self) -> None:
        self._ids, self._spans, self._rates, self._timed = (
            table_index.mapped(self._samples, name, FOLDER) for name in ("ids", "spans", "rates", "timed")
        )
        path = self._samples.parent / FOLDER / "times.f64"
        size = path.stat().st_size // 8
        self._times = np.memmap(path, np.float64, "r", shape=(size,)) if size else np.array([])


def _clips_of(project: Project, dataset: DatasetVersion) -> Path:
    version = dataset.made_from.get("curated_clips")
    if version is None:
        raise LostVersion(f"it is not known any more which clips training set {dataset.hash} was made from: {REMEDY}")
    return table_of(project, "curated_clips", version)


def _written(clips: Path, folder: Path) -> dict[str, object]:
    ids, spans, rates = [np.array([], "S1")], [np.empty((0, 2), np.int64)], [np.array([], np.float64)]
    counts = [np.array([], np.int64)]
    with replacing(folder / "times.f64") as temporary, temporary.open("wb") as file:
        for part in tables.kept_parts(clips, ["clip_id", *SPAN, "fps", "frame_times"]):
            ids.append(np.array(part["clip_id"].to_pylist(), np.bytes_))
            spans.append(np.stack([part[name].to_numpy() for name in SPAN], 1))
            rates.append(part["fps"].to_numpy())
            counts.append(pc.fill_null(pc.list_value_length(part["frame_times"]), 0).to_numpy().astype(np.int64))
            file.write(pc.list_flatten(part["frame_times"]).to_numpy().astype(np.float64).tobytes())
    named, ends = np.concatenate(ids), np.cumsum(np.concatenate(counts))
    order = np.argsort(named, kind="stable")
    timed = np.stack([ends - np.concatenate(counts), ends], 1)
    table_index.save(
        folder,
        ids=named[order],
        spans=np.concatenate(spans)[order],
        rates=np.concatenate(rates)[order],
        timed=timed[order],
    )
    return {}
