"""The funnel of a whole dataset: curation's, then captions and buckets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from ops.curation.runs.funnel import (
    FunnelRow,
    clip_funnel,
    grouped_by_verdict,
    image_funnel,
    kept_of,
    rejected_of,
    rows_of,
    step_row,
)
from ops.runtime import tables
from ops.runtime.project import Project

_ITEMS = {"curated_clips": "clip_id", "curated_images": "source_id"}
"""Table → the column that the captions of its rows go by."""


def funnel(project: Project) -> list[FunnelRow]:
    """One row a step (`step_row`), in order, for videos, images and the items of the dataset."""
    return [*clip_funnel(project), *image_funnel(project), *_items(project)]


def _items(project: Project) -> list[FunnelRow]:
    """Captions and buckets, once there are any. Those of an earlier curation are left out: they are not what came of
    this one, and their share would be one of other items."""
    if not project.table("captions").is_file():
        return []
    captioned = tables.read_columns(project.table("captions"), ["item_id"])["item_id"]
    if not _same([captioned], [_kept_ids(project.table(name), key) for name, key in _ITEMS.items()]):
        return []
    captions = grouped_by_verdict(project.table("captions"))
    count = rows_of(captions) or 1
    left = kept_of(captions)
    out = [step_row("item", "captions", left, rejected_of(captions), rows_of(left) / count)]
    folder = project.data / "training_set"
    if (folder / "buckets.parquet").is_file():
        sampled = tables.read_columns(folder / "samples.parquet", ["item_id"])["item_id"]
        items = len(pc.unique(sampled))
        buckets = tables.read_columns(folder / "buckets.parquet", ["bucket", "items", "reason", "dropped"])
        none = buckets.filter(pc.is_null(buckets["bucket"]))
        dropped, without = none.select(["items", "reason"]).to_pylist(), pc.list_flatten(none["dropped"])
        if not _same([_kept_ids(project.table("captions"), "item_id")], [sampled, without]):
            return out
        row = step_row("item", "training_set", [], [], items / count)
        out_of_buckets = sum(row["items"] for row in dropped)
        row["entered"], row["kept"], row["rejected"] = items + out_of_buckets, items, out_of_buckets
        row["reasons"] = {found["reason"]: found["items"] for found in dropped}
        out.append(row)
    return out


def _kept_ids(path: Path, key: str) -> pa.ChunkedArray:
    table = tables.read_columns(path, [key, "rejected_by"])
    return table.filter(pc.is_null(table["rejected_by"]))[key]


def _same(first: Sequence[pa.ChunkedArray], second: Sequence[pa.ChunkedArray]) -> bool:
    """Whether both hold the same ids, in whatever order and however often."""
    ids, others = (
        pc.unique(pa.chunked_array([chunk for part in parts for chunk in part.cast(pa.string()).chunks], pa.string()))
        for parts in (first, second)
    )
    return len(ids) == len(others) and pc.all(pc.is_in(ids, value_set=others)).as_py() is not False
