"""How many samples a training has, by bucket: what is known of a training set without reading any of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from pathlib import Path

from ops.catalogue import Kind
from ops.data.columns import Split
from ops.runtime import tables
from ops.training.trainings import Training


def bucket_counts(
    dataset: Path, training: Training, split: Split = "train", kinds: Collection[Kind] | None = None
) -> Counter[str]:
    """Bucket → the samples in it of this split, of these kinds (None: all of the training's), that are cut for the
    training. `dataset` is the folder of a training set."""
    wanted, found = training.kinds if kinds is None else kinds, Counter[str]()
    for row in tables.each(dataset / "buckets.parquet", ("cut", "bucket", "kind", "split", "samples")):
        if (row["cut"], row["split"]) == (training.cut, split) and row["kind"] in wanted and row["samples"]:
            found[row["bucket"]] += row["samples"]
    return found
