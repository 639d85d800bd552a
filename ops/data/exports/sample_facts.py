"""What an exported sample says about itself: where it comes from, who captioned it, and its scores."""

from __future__ import annotations

import json
from typing import Any

from ops.catalogue import SCORES
from ops.data.columns import Sample
from ops.data.dataset_version import DatasetVersion, table_of
from ops.data.exports.manifest import ExportError
from ops.data.exports.source_versions import source_versions
from ops.runtime import tables
from ops.runtime.project import Project
from ops.runtime.tables import Row


class Facts:
    """The tables that a version of the training set was made from, read once.

    Raises:
        ExportError: which tables these were, or at how many frames a second it was made, is not known.
        LostVersion: one of them is no longer in DVC's cache.
    """

    def __init__(self, project: Project, dataset: DatasetVersion) -> None:
        self._fps = _fps(dataset)
        versions = source_versions(dataset, ("curated_clips", "curated_images", "captions"))
        rows = {step: tables.kept(tables.read(table_of(project, step, each))) for step, each in versions.items()}
        clips = {row["clip_id"]: row for row in rows["curated_clips"]}
        images = {row["source_id"]: row for row in rows["curated_images"]}
        self._items = {"video": clips, "image": images}
        self._captions = {row["item_id"]: row for row in rows["captions"]}

    def of(self, sample: Sample) -> dict[str, Any]:
        """JSON: identity, bucket, source and crop of the sample, its captioner, and each score with its scorer.

        `fps` is that of the sample's frames (null for an image); `frame_indices` and `crop` refer to the source.

        Raises:
            ExportError: the training set was made from other tables than those that are there.
        """
        item_id, kind = sample["item_id"], sample["kind"]
        if item_id not in self._items[kind] or item_id not in self._captions:
            raise ExportError(
                f"the training set holds {kind} {item_id}, which is not kept, or has no caption any more: "
                "run `soraflow run --select '+training_set'`"
            )
        return {
            "sample_id": sample["sample_id"],
            "item_id": item_id,
            "kind": kind,
            "split": sample["split"],
            "bucket": sample["bucket"],
            "frames": sample["frames"],
            "height": sample["height"],
            "width": sample["width"],
            "fps": self._fps if kind == "video" else None,
            "source": {name: sample[name] for name in ("source_id", "root", "path", "sha256", "licence")},
            "frame_indices": sample["frame_indices"],
            "crop": sample["crop"],
            "captioner": _parsed(self._captions[item_id]["captioner"]),
            "scores": _scores(self._items[kind][item_id]),
        }


def _fps(dataset: DatasetVersion) -> float:
    found = dataset.settings.get("dataset", {}).get("fps")
    if found is None:
        raise ExportError(f"the dataset.fps of training set {dataset.hash} is not known any more: name another version")
    return float(found)


def _scores(row: Row) -> dict[str, object]:
    return {
        name: {"value": row[name], "scorer": _parsed(row[str(score.column.scored_by)])}
        for name, score in SCORES.items()
        if row.get(name) is not None
    }


def _parsed(column: str | None) -> object:
    return None if column is None else json.loads(column)
