"""What became of each curated item on its way into the training set, in a few bytes of each."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from math import fsum

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ops.catalogue import KINDS, Kind
from ops.data.buckets import Bucket, kept_share
from ops.data.columns import Split
from ops.data.samples import BUCKETS
from ops.data.split import held_out
from ops.runtime.tables import Row

SPLITS: tuple[Split, ...] = ("train", "held_out")
Size = tuple[int, int]
"""Height and width."""


class ItemTally:
    def __init__(self) -> None:
        self._kinds, self._shapes, self._samples = array("B"), array("I"), array("I")
        self._numbers: dict[tuple[str, Bucket, Size], int] = {}
        self._contents: list[pa.DictionaryArray] = []
        self._dropped: dict[tuple[str, Kind, str], list[pa.Array]] = {}
        self.used: Counter[str] = Counter()
        """Cut → the items that have become samples of it."""
        self.reasons: dict[str, Counter[str]] = {}
        """Cut → why items have not, and how many."""

    def add(self, cut: str, kind: Kind, bucket: Bucket, size: Size, samples: int) -> None:
        """An item of this size that has become samples of a bucket; `contents` must hear of it, too."""
        self._kinds.append(KINDS.index(kind))
        self._shapes.append(self._numbers.setdefault((cut, bucket, size), len(self._numbers)))
        self._samples.append(samples)
        self.used[cut] += 1

    def contents(self, hashes: Sequence[str]) -> None:
        """The sha256 of the items that were added since the last call, in their order."""
        self._contents.append(pa.array(hashes, pa.string()).dictionary_encode())

    def drop(self, cut: str, kind: Kind, reason: str, item_ids: Sequence[str], counted: bool = True) -> None:
        """Items that are in no bucket; those that are not `counted` among the dropped were not asked for."""
        self._dropped.setdefault((cut, kind, reason), []).append(pa.array(item_ids, pa.string()))
        if counted:
            self.reasons.setdefault(cut, Counter())[reason] += len(item_ids)

    def held_out(self, share: float, seed: int) -> NDArray[np.bool_]:
        """bool [items that were added]: those whose content is held out, kind by kind.

        Raises:
            EmptySplit: a kind has a single content.
        """
        contents, kinds = pa.chunked_array(self._contents, pa.dictionary(pa.int32(), pa.string())), self._of_kinds()
        codes = [chunk.indices.to_numpy() for chunk in contents.unify_dictionaries().chunks]
        code = np.concatenate(codes) if codes else np.array([], np.int32)
        out = np.full(len(code), False)
        for number, kind in enumerate(KINDS):
            there = np.unique(code[kinds == number])
            if len(there):
                names = contents.unify_dictionaries().chunk(0).dictionary.take(pa.array(there))
                out |= (kinds == number) & np.isin(code, there[held_out(names, share, seed, kind)])
        return out

    def splits(self, out: NDArray[np.bool_]) -> pa.Array:
        """The split of each sample, in the order in which items were added; `out` as `held_out` has it."""
        return pa.array(SPLITS).take(pa.array(np.repeat(out, np.asarray(self._samples)).astype(np.int8)))

    def buckets(self, out: NDArray[np.bool_]) -> Iterator[pa.Table]:
        """The rows of `buckets.parquet`."""
        yield pa.Table.from_pylist(list(self._of_buckets(out)), BUCKETS)
        for (cut, kind, reason), parts in sorted(self._dropped.items(), key=lambda item: item[0]):
            ids = pa.concat_arrays(parts)
            about = {"cut": cut, "kind": kind, "samples": 0, "items": len(ids), "reason": reason}
            row = pa.Table.from_pylist([about], BUCKETS)
            dropped = pa.ListArray.from_arrays(pa.array([0, len(ids)], pa.int32()), ids.take(pc.sort_indices(ids)))
            yield row.set_column(BUCKETS.get_field_index("dropped"), BUCKETS.field("dropped"), dropped)

    def _of_buckets(self, out: NDArray[np.bool_]) -> Iterator[Row]:
        shapes, samples = np.asarray(self._shapes), np.asarray(self._samples)
        groups: dict[tuple[str, Bucket, Kind, Split], list[tuple[Size, int, int]]] = {}
        key = (shapes.astype(np.int64) * len(KINDS) + self._of_kinds()) * len(SPLITS) + out
        found, of_group = np.unique(key, return_inverse=True)
        items, counts = np.bincount(of_group, minlength=len(found)), np.bincount(of_group, samples, len(found))
        named = list(self._numbers)
        for each, items_of, samples_of in zip(found.tolist(), items.tolist(), counts.astype(int).tolist(), strict=True):
            rest, split = divmod(each, len(SPLITS))
            shape, kind = divmod(rest, len(KINDS))
            cut, bucket, size = named[shape]
            groups.setdefault((cut, bucket, KINDS[kind], SPLITS[split]), []).append((size, items_of, samples_of))
        for (cut, bucket, kind, split), members in sorted(groups.items()):
            wanted = (bucket.height, bucket.width)
            shares = [(kept_share(*size, wanted), number) for size, _, number in members]
            total = sum(number for _, number in shares)
            yield {
                "cut": cut,
                "bucket": str(bucket),
                "kind": kind,
                "split": split,
                "samples": total,
                "items": sum(number for _, number, _ in members),
                "enlarged": sum(n for (high, wide), _, n in members if high < bucket.height or wide < bucket.width),
                "kept_share": round(fsum(share * number for share, number in shares) / total, 4),
                "least_kept_share": round(min(share for share, _ in shares), 4),
            }

    def _of_kinds(self) -> NDArray[np.uint8]:
        return np.asarray(self._kinds)
