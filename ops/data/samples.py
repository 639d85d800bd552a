"""The training set as it lies on disk: one row a sample."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import cast

from ops.catalogue import Kind
from ops.data import columns
from ops.data.columns import TRAINING_SET, Sample, Split
from ops.data.dataset_version import keep
from ops.runtime import tables
from ops.runtime.project import Project

SAMPLES, BUCKETS = TRAINING_SET.schema, columns.BUCKETS.schema


def training_samples(
    project: Project,
    split: Split | None = None,
    kinds: tuple[Kind, ...] = (),
    version: str | None = None,
    cuts: Collection[str] | None = None,
) -> list[Sample]:
    """All of `each_sample` at once, for those who know that they are few."""
    return list(each_sample(project, split, kinds, version, cuts))


def each_sample(
    project: Project,
    split: Split | None = None,
    kinds: tuple[Kind, ...] = (),
    version: str | None = None,
    cuts: Collection[str] | None = None,
) -> Iterator[Sample]:
    """The samples of a split (of both, if None), of these kinds (of all, if none is named) and of these cuts (of all,
    if None), in their order, read some thousand at a time.

    `version` is the DVC hash of the training set that is meant, whatever has become current since; None is what lies
    in data/ now.

    Raises:
        LostVersion: when that version is neither kept nor in DVC's cache.
    """
    here = project.data / "training_set" / "samples.parquet"
    path = here if version is None else keep(project, version).samples
    for row in cast(Iterator[Sample], tables.each(path, tables.names_of(path))):
        if (
            split in (None, row["split"])
            and (not kinds or row["kind"] in kinds)
            and (cuts is None or row["cut"] in cuts)
        ):
            yield row
