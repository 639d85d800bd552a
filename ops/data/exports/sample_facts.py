"""What an exported sample says about itself: where it comes from, who captioned it, and its scores."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
import pyarrow as pa

from ops.catalogue import SCORES, Kind
from ops.config import said_of
from ops.data.columns import Sample, Split
from ops.data.dataset_version import DatasetVersion, table_of
from ops.data.exports.manifest import ExportError
from ops.data.exports.source_versions import source_versions
from ops.runtime import tables
from ops.runtime.lookup import Lookup
from ops.runtime.project import Project
from ops.runtime.tables import Row

CURATED: dict[Kind, tuple[str, str]] = {
    "video": ("curated_clips", "clip_id"),
    "image": ("curated_images", "source_id"),
}
"""Of each kind the table of its items, and their key."""


class ScoreFact(TypedDict):
    """A score, and who measured it."""

    value: float
    scorer: object


class SampleFacts(TypedDict):
    """JSON of a sample. `frame_indices` and `crop` refer to the source."""

    sample_id: str
    item_id: str
    kind: Kind
    split: Split
    bucket: str
    frames: int
    height: int
    width: int
    fps: float | None
    """None of images."""
    source: dict[str, str | None]
    frame_indices: list[int]
    crop: list[int] | None
    captioner: object
    """As the captioner tells of itself."""
    scores: dict[str, ScoreFact]


class Facts:
    """What the tables say that a version of the training set was made from, of the samples of one of its cuts.

    Raises:
        ExportError: which tables these were, or at how many frames a second the cut was made, is not known.
        LostVersion: one of them is no longer in DVC's cache.
    """

    def __init__(self, project: Project, dataset: DatasetVersion, cut: str) -> None:
        self._fps = _fps(dataset, cut)
        versions = source_versions(dataset, ("curated_clips", "curated_images", "captions"))
        self._tables = {step: table_of(project, step, each) for step, each in versions.items()}

    def of_items(self, kind: Kind, item_ids: pa.ChunkedArray) -> ItemFacts:
        """Those of the items of one kind that samples are of, in the order of the samples."""
        path, key = self._tables[CURATED[kind][0]], CURATED[kind][1]
        there = set(tables.names_of(path))
        scores = {name: str(score.column.scored_by) for name, score in SCORES.items() if name in there}
        items = Lookup(path, key, list(dict.fromkeys([*scores, *scores.values()])), item_ids)
        captions = Lookup(self._tables["captions"], "item_id", ["captioner"], item_ids)
        return ItemFacts(self._fps if kind == "video" else None, scores, items, captions)


@dataclass(frozen=True)
class ItemFacts:
    """`scores` are columns of `items`, each with the one that says who measured it. `fps` is that of a sample's frames;
    None for images."""

    fps: float | None
    scores: Mapping[str, str]
    items: Lookup
    captions: Lookup

    def of(self, start: int, samples: Sequence[Sample]) -> list[SampleFacts]:
        """Of the samples `start`, `start` + 1, … in the order of their items.

        Raises:
            ExportError: the training set was made from other tables than those that are there.
        """
        known = self.items.known(start, len(samples)) & self.captions.known(start, len(samples))
        if not known.all():
            lost = samples[int(np.flatnonzero(~known)[0])]
            raise ExportError(
                f"the training set holds {lost['kind']} {lost['item_id']}, which is not kept, or has no caption any "
                "more: run `soraflow run --select '+training_set'`"
            )
        items = self.items.rows(start, len(samples)).to_pylist()
        captioners = self.captions.rows(start, len(samples))["captioner"].to_pylist()
        return [self._of(*each) for each in zip(samples, items, captioners, strict=True)]

    def _of(self, sample: Sample, item: Row, captioner: str | None) -> SampleFacts:
        return {
            "sample_id": sample["sample_id"],
            "item_id": sample["item_id"],
            "kind": sample["kind"],
            "split": sample["split"],
            "bucket": sample["bucket"],
            "frames": sample["frames"],
            "height": sample["height"],
            "width": sample["width"],
            "fps": self.fps,
            "source": {name: sample[name] for name in ("source_id", "root", "path", "sha256", "licence")},
            "frame_indices": sample["frame_indices"],
            "crop": sample["crop"],
            "captioner": _parsed(captioner),
            "scores": {
                name: {"value": item[name], "scorer": _parsed(item[scorer])}
                for name, scorer in self.scores.items()
                if item[name] is not None
            },
        }


def _fps(dataset: DatasetVersion, cut: str) -> float:
    found = said_of(cut, "fps") or dataset.settings.get("dataset", {}).get("fps")
    if found is None:
        raise ExportError(f"the dataset.fps of training set {dataset.hash} is not known any more: name another version")
    return float(found)


def _parsed(column: str | None) -> object:
    return None if column is None else json.loads(column)
