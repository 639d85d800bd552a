"""The training set as it lies on disk: one row a sample."""

from __future__ import annotations

from typing import Literal, TypedDict, cast

import pyarrow as pa

from ops.data.dataset_version import keep
from ops.runtime import tables
from ops.runtime.project import Project

Kind = Literal["video", "image"]
Split = Literal["train", "held_out"]


class Sample(TypedDict):
    """What training reads. `frames`, `height`, `width` are the bucket's; `frame_indices` count the source's decoded
    frames ([0] for an image); `crop` is [x0, x1, y0, y1] in pixels of the upright frame."""

    sample_id: str
    item_id: str
    source_id: str
    kind: Kind
    split: Split
    bucket: str
    frames: int
    height: int
    width: int
    root: str
    path: str
    sha256: str
    licence: str | None
    frame_indices: list[int]
    crop: list[int] | None
    caption: str
    aesthetic: float | None
    aesthetics_scorer: str | None
    technical: float | None
    technical_quality_scorer: str | None


SAMPLES = pa.schema(
    [
        ("sample_id", pa.string()),
        ("item_id", pa.string()),
        ("source_id", pa.string()),
        ("kind", pa.string()),
        ("split", pa.string()),
        ("bucket", pa.string()),
        ("frames", pa.int64()),
        ("height", pa.int64()),
        ("width", pa.int64()),
        ("root", pa.string()),
        ("path", pa.string()),
        ("sha256", pa.string()),
        ("licence", pa.string()),
        ("frame_indices", pa.list_(pa.int64())),
        ("crop", pa.list_(pa.int64())),
        ("caption", pa.string()),
        ("aesthetic", pa.float64()),  # scores as in the curated tables, with the plain names of their scorers
        ("aesthetics_scorer", pa.string()),
        ("technical", pa.float64()),
        ("technical_quality_scorer", pa.string()),
    ]
)
BUCKETS = pa.schema(
    [
        ("bucket", pa.string()),
        ("kind", pa.string()),
        ("split", pa.string()),
        ("samples", pa.int64()),
        ("items", pa.int64()),
        ("enlarged", pa.int64()),
        ("kept_share", pa.float64()),
        ("least_kept_share", pa.float64()),
        ("reason", pa.string()),
        ("dropped", pa.list_(pa.string())),
    ]
)
"""One row a bucket and split; `enlarged` samples are smaller than their bucket, which keeps `kept_share` of their
pictures on average. A row without a bucket counts the items dropped for its `reason` and lists them in `dropped`."""


def training_samples(
    project: Project, split: Split | None = None, kinds: tuple[Kind, ...] = (), version: str | None = None
) -> list[Sample]:
    """The samples of a split (of both, if None) and of these kinds (of all, if none is named), in their order.

    `version` is the DVC hash of the training set that is meant, whatever has become current since; None is what lies
    in data/ now.

    Raises:
        LostVersion: when that version is neither kept nor in DVC's cache.
    """
    folder = project.data / "training_set" if version is None else keep(project, version).folder
    rows = cast(list[Sample], tables.read(folder / "samples.parquet"))
    return [row for row in rows if split in (None, row["split"]) and (not kinds or row["kind"] in kinds)]
