"""The samples of a training set as a training reads them: any of them by its id, and the ids of every bucket.

A Parquet table is read in order; a training reads it in any order. So a version that is trained on gets a folder
`index/` beside its table (`ops.runtime.table_index`), mapped into memory. It holds

* `rows.arrow`: the rows as they are in the table, uncompressed, so that one of them is read where it lies,
* `ids.npy`: all ids in ascending order (bytes), by which a sample has its *number*, and `places.npy`: number → row,
* `members.npy`: the numbers of the samples of each split, kind, cut and bucket, ascending, one group after the other,
* `about.json`: those groups, and of which table all this is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import NamedTuple, cast, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ops.catalogue import Kind
from ops.config import DEFAULT_CUT
from ops.data.columns import Sample, Split
from ops.data.dataset_version import keep
from ops.data.samples import SAMPLES
from ops.runtime import table_index, tables
from ops.runtime.files import replacing
from ops.runtime.project import Project

FORM = 2
"""Raised when an index is laid otherwise; one of another form is made anew."""
Numbers = NDArray[np.uint32]


class Group(NamedTuple):
    split: Split
    kind: Kind
    cut: str
    bucket: str
    samples: int


@dataclass(frozen=True, eq=False)
class Members(Sequence[str]):
    """The ids of a bucket, in ascending order. `ids` are all of the index, `numbers` those of the bucket."""

    ids: NDArray[np.bytes_]
    numbers: Numbers

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[str]: ...
    def __getitem__(self, place: int | slice) -> str | Sequence[str]:
        if isinstance(place, slice):
            return Members(self.ids, self.numbers[place])
        return bytes(self.ids[self.numbers[place]]).decode()


class SampleIndex(Mapping[str, Sample]):
    """Maps ids to samples, each read when it is asked for. May be sent to other processes, which map it anew."""

    def __init__(self, table: Path) -> None:
        """`table` is samples.parquet of a version; its index is made if there is none, which takes minutes for
        millions of samples. Processes that want it at the same time wait for the one that makes it.

        Raises:
            FileNotFoundError: there is no table.
            ValueError: two samples have one id.
        """
        self._table = table
        about = table_index.made(table, FORM, lambda folder: _written(table, folder))
        self.groups = tuple(Group(*each) for each in about["groups"])
        self._starts = np.concatenate([[0], np.cumsum(about["batches"], dtype=np.int64)])
        self._ids, self._places, self._members = (
            table_index.mapped(table, name) for name in ("ids", "places", "members")
        )
        rows = table.parent / table_index.FOLDER / "rows.arrow"
        self._batch = cache(pa.ipc.open_file(pa.memory_map(str(rows))).get_batch)

    @classmethod
    def of(cls, project: Project, version: str) -> SampleIndex:
        """That of a version of the training set, by its DVC hash.

        Raises:
            LostVersion: when the version is neither kept nor in DVC's cache.
        """
        return cls(keep(project, version).samples)

    def __reduce__(self) -> tuple[type[SampleIndex], tuple[Path]]:
        return SampleIndex, (self._table,)

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[str]:
        return (bytes(name).decode() for name in self._ids)

    def __contains__(self, sample_id: object) -> bool:
        return isinstance(sample_id, str) and self._number(sample_id) is not None

    def __getitem__(self, sample_id: str) -> Sample:
        number = self._number(sample_id)
        if number is None:
            raise KeyError(f"{self._table} has no sample {sample_id}")
        return self._row(int(self._places[number]))

    def members(self, split: Split, kinds: Collection[Kind], cut: str = DEFAULT_CUT) -> dict[str, Members]:
        """Bucket → the ids of its samples of these kinds, of every bucket of the split that has any of this cut."""
        parts: dict[str, list[Numbers]] = {}
        for group, found in self.grouped():
            if group.split == split and group.kind in kinds and group.cut == cut:
                parts.setdefault(group.bucket, []).append(found)
        # a picture and a clip of one frame may share a bucket
        numbers = {
            bucket: part[0] if len(part) == 1 else np.sort(np.concatenate(part)) for bucket, part in parts.items()
        }
        return {bucket: Members(self._ids, found) for bucket, found in numbers.items()}

    def grouped(self) -> Iterator[tuple[Group, Numbers]]:
        """Each group with the numbers of its samples, ascending."""
        start = 0
        for group in self.groups:
            yield group, self._members[start : start + group.samples]
            start += group.samples

    def by_source(self, numbers: Numbers) -> Numbers:
        """Samples, given by ascending numbers, in the order of their files (root and path), so that those of one source
        lie beside each other, and of their ids."""
        order = np.argsort(self._files[self._places[numbers]], kind="stable")
        return numbers[order]

    @cached_property
    def _files(self) -> NDArray[np.uint32]:
        """uint32 [rows of the table]: the place of each row's file among all files, by root and path."""
        named = [
            pc.binary_join_element_wise(batch["root"], batch["path"], "\0").cast(pa.large_string())
            for batch in map(self._batch, range(len(self._starts) - 1))
        ]
        kind = pa.dictionary(pa.int32(), pa.large_string())
        encoded = pa.chunked_array([each.dictionary_encode() for each in named], kind).unify_dictionaries()
        if not encoded.num_chunks:
            return np.array([], np.uint32)
        order = pc.sort_indices(encoded.chunk(0).dictionary).to_numpy()
        rank = np.empty(len(order), np.uint32)
        rank[order] = np.arange(len(order), dtype=np.uint32)
        files: NDArray[np.uint32] = rank[np.concatenate([chunk.indices.to_numpy() for chunk in encoded.chunks])]
        return files

    def at(self, numbers: Numbers) -> list[Sample]:
        """The samples of these numbers, in the order asked for."""
        places = self._places[numbers].astype(np.int64)
        batches = np.searchsorted(self._starts, places, "right") - 1
        found = np.empty(len(places), object)
        for batch in np.unique(batches).tolist():
            mine = batches == batch
            found[mine] = self._batch(batch).take(pa.array(places[mine] - self._starts[batch])).to_pylist()
        return cast(list[Sample], found.tolist())

    def column(self, name: str, numbers: Numbers) -> pa.ChunkedArray:
        """One column of these samples, in the order asked for."""
        whole = pa.chunked_array([batch[name] for batch in map(self._batch, range(len(self._starts) - 1))])
        return whole.take(pa.array(self._places[numbers]))

    def rows(self, sample_ids: Iterable[str]) -> list[Sample]:
        """These samples, in the order of the table."""
        numbers = [self._number(name) for name in sample_ids]
        return [self._row(place) for place in sorted(int(self._places[each]) for each in numbers if each is not None)]

    def beside(self, sample_id: str) -> list[Sample]:
        """The samples of the same cut and source that lie next to this one, itself included, in the order of the
        table."""
        sample = self[sample_id]
        place = int(self._places[cast(int, self._number(sample_id))])
        found = [sample]
        for step in (-1, 1):
            other = place + step
            while 0 <= other < len(self) and (row := self._row(other))["source_id"] == sample["source_id"]:
                if row["cut"] == sample["cut"]:
                    found.insert(0 if step < 0 else len(found), row)
                other += step
        return found

    def _number(self, sample_id: str) -> int | None:
        return table_index.number_of(sample_id, self._ids)

    def _row(self, place: int) -> Sample:
        batch = int(np.searchsorted(self._starts, place, "right")) - 1
        (row,) = self._batch(batch).slice(place - int(self._starts[batch]), 1).to_pylist()
        return cast(Sample, row)


def _written(table: Path, folder: Path) -> dict[str, object]:
    """Write all files but `about.json`; of what that says `groups` are those of `members.npy` in their order, and
    `batches` the rows of each batch of `rows.arrow`."""
    parts: list[NDArray[np.bytes_]] = []
    codes: list[NDArray[np.int64]] = []
    groups: dict[tuple[Split, Kind, str, str], int] = {}
    with replacing(folder / "rows.arrow") as temporary, pa.ipc.new_file(str(temporary), SAMPLES) as writer:
        for part in tables.parts(table, SAMPLES.names):
            (batch,) = part.cast(SAMPLES).combine_chunks().to_batches()
            writer.write_batch(batch)
            parts.append(np.array(batch["sample_id"].to_numpy(zero_copy_only=False), np.bytes_))
            codes.append(_codes(batch, groups))
    ids = np.concatenate(parts) if parts else np.array([], "S1")
    order = np.argsort(ids, kind="stable").astype(np.uint32)
    ids = ids[order]
    if (twice := np.flatnonzero(ids[1:] == ids[:-1])).size:
        raise ValueError(f"{table} holds sample {bytes(ids[twice[0]]).decode()} more than once: make training_set anew")
    named = sorted(groups)
    rank = np.array([named.index(group) for group in groups], np.uint32)
    code = rank[np.concatenate(codes)[order]] if parts else np.array([], np.uint32)
    members = np.argsort(code, kind="stable").astype(np.uint32)
    table_index.save(folder, ids=ids, places=order, members=members)
    counts = np.bincount(code, minlength=len(named)).tolist()
    sizes = [(*group, count) for group, count in zip(named, counts, strict=True)]
    return {"groups": sizes, "batches": [len(part) for part in parts]}


def _codes(batch: pa.RecordBatch, groups: dict[tuple[Split, Kind, str, str], int]) -> NDArray[np.int64]:
    """int64 [rows]: which of the groups, to which those are added that are new, each row is of."""
    names = ("split", "kind", "cut", "bucket")
    joined = pc.binary_join_element_wise(*(batch[name] for name in names), "\n").dictionary_encode()
    local = [groups.setdefault(tuple(text.split("\n")), len(groups)) for text in joined.dictionary.to_pylist()]
    codes: NDArray[np.int64] = np.array(local, np.int64)[joined.indices.to_numpy()]
    return codes
