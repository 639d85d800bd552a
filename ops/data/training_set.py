"""The step `training_set`: windows of kept clips and kept images, in buckets, split by source."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from statistics import fmean
from typing import Any

from ops.catalogue import Kind
from ops.config import Dataset, Settings
from ops.data.buckets import Bucket, Unusable, kept_share, nearest_size
from ops.data.columns import SAMPLE_SCORES, Sample
from ops.data.frame_windows import windows
from ops.data.samples import BUCKETS, SAMPLES
from ops.data.split import held_out
from ops.data.text_encoder import is_readable
from ops.runtime import tables
from ops.runtime.project import Project
from ops.runtime.tables import Row


class EmptyTrainingSet(ValueError):
    """Nothing, or too little, of what was curated can be trained on; the message counts the reasons."""


@dataclass(frozen=True)
class _Item:
    kind: Kind
    item_id: str
    row: Row

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of what is left after the crop."""
        if crop := self.row.get("crop"):
            x0, x1, y0, y1 = crop
            return y1 - y0, x1 - x0
        return self.row["height"], self.row["width"]


def training_set(project: Project) -> None:
    """Write data/training_set/samples.parquet and buckets.parquet.

    Raises:
        EmptyTrainingSet: more than `dataset.max_dropped_share` of the curated items fit no bucket.
        EmptySplit: a kind has a single source, so that nothing can be held out.
    """
    settings = project.settings
    items, captions = _items(project), _captions(project)
    samples: list[Any] = []
    dropped: list[tuple[Kind, str, str]] = []
    for item in items:
        try:
            samples += _samples(item, captions, settings)
        except Unusable as reason:
            dropped.append((item.kind, str(reason), item.item_id))
    _check(len(items), dropped, settings.dataset)
    _split(samples, settings.dataset.held_out_share, settings.seed)
    folder = project.data / "training_set"
    sizes = {item.item_id: item.size for item in items}
    tables.write(folder / "samples.parquet", samples, SAMPLES)
    tables.write(folder / "buckets.parquet", [*_buckets(samples, sizes), *_dropped(dropped)], BUCKETS)


def _items(project: Project) -> list[_Item]:
    clips = tables.kept(tables.read(project.table("curated_clips")))
    images = tables.kept(tables.read(project.table("curated_images")))
    return [
        *(_Item("video", row["clip_id"], row) for row in clips),
        *(_Item("image", row["source_id"], row) for row in images),
    ]


def _captions(project: Project) -> dict[str, str]:
    return {row["item_id"]: row["caption"] for row in tables.kept(tables.read(project.table("captions")))}


def _samples(item: _Item, captions: dict[str, str], settings: Settings) -> Iterator[Row]:
    row, dataset, encoder = item.row, settings.dataset, settings.text_encoder
    if item.item_id not in captions:
        raise Unusable("there is no caption")
    if not is_readable(captions[item.item_id], encoder):
        limit = f"text_encoder.min_readable_share ({encoder.min_readable_share:g})"
        raise Unusable(f"{encoder.weights} reads less of the caption than {limit} asks for")
    if item.kind == "image":
        chosen = [[0]]
    else:
        span = (row["start_frame"], row["end_frame"], row["fps"])
        chosen = windows(item.item_id, *span, dataset, settings.seed, row["frame_times"])
    height, width = nearest_size(*item.size, dataset.sizes(), dataset.min_kept_share)
    for indices in chosen:
        bucket = Bucket(len(indices), height, width)
        yield {
            "sample_id": hashlib.sha256(f"{item.item_id}:{indices}:{bucket}".encode()).hexdigest()[:16],
            "item_id": item.item_id,
            "kind": item.kind,
            "bucket": str(bucket),
            "frames": bucket.frames,
            "height": height,
            "width": width,
            "frame_indices": indices,
            "crop": row.get("crop"),
            "caption": captions[item.item_id],
            **_scores(row),
            **{key: row[key] for key in ("source_id", "root", "path", "sha256", "licence")},
        }


def _scores(row: Row) -> Row:
    scores: Row = {}
    for score, scorer in SAMPLE_SCORES.items():
        known = row.get(scorer)
        scores |= {score: row.get(score), scorer: known and json.loads(known)["scorer"]}
    return scores


def _check(items: int, dropped: list[tuple[Kind, str, str]], dataset: Dataset) -> None:
    if items == 0:
        raise EmptyTrainingSet("no curated clip and no curated image is left: see the funnel in data/dataset_report")
    if len(dropped) == items or len(dropped) / items > dataset.max_dropped_share:
        counted = Counter(reason for _, reason, _ in dropped).most_common(5)
        reasons = "; ".join(f"{number} because {reason}" for reason, number in counted)
        raise EmptyTrainingSet(
            f"{len(dropped)} of {items} curated items fit no bucket, more than dataset.max_dropped_share "
            f"({dataset.max_dropped_share:g}) allows: {reasons}"
        )


def _split(samples: list[Sample], share: float, seed: int) -> None:
    """Fill in each sample's split, kind by kind."""
    for kind in ("video", "image"):
        members = [sample for sample in samples if sample["kind"] == kind]
        out = held_out((sample["sha256"] for sample in members), share, seed, kind)
        for sample in members:
            sample["split"] = "held_out" if sample["sha256"] in out else "train"


def _buckets(samples: list[Sample], sizes: dict[str, tuple[int, int]]) -> Iterator[Row]:
    groups: dict[tuple[Bucket, str, str], list[Sample]] = defaultdict(list)
    for sample in samples:
        groups[Bucket.parse(sample["bucket"]), sample["kind"], sample["split"]].append(sample)
    for (bucket, kind, split), members in sorted(groups.items()):
        smaller = [
            sizes[sample["item_id"]][0] < bucket.height or sizes[sample["item_id"]][1] < bucket.width
            for sample in members
        ]
        kept = [kept_share(*sizes[sample["item_id"]], (bucket.height, bucket.width)) for sample in members]
        yield {
            "bucket": str(bucket),
            "kind": kind,
            "split": split,
            "samples": len(members),
            "items": len({sample["item_id"] for sample in members}),
            "enlarged": sum(smaller),
            "kept_share": round(fmean(kept), 4),
            "least_kept_share": round(min(kept), 4),
        }


def _dropped(dropped: list[tuple[Kind, str, str]]) -> Iterator[Row]:
    for (kind, reason), group in groupby(sorted(dropped), key=itemgetter(0, 1)):
        ids = [item_id for _, _, item_id in group]
        yield {"kind": kind, "samples": 0, "items": len(ids), "reason": reason, "dropped": ids}
