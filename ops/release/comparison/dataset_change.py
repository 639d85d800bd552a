"""Clips and images that one version of the training set has and another has not, each with the reason why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from ops.data.dataset_version import DatasetVersion, LostVersion, keep, table_of
from ops.runtime import tables
from ops.runtime.project import Project

CURATED = {"video": ("curated_clips", "clip_id"), "image": ("curated_images", "source_id")}
"""Kind of item → the table of what was curated, and the column with its id there."""
LATER_STEP = "kept by curation, and left out when the training set was made: its caption, size or length"
OTHER_CUT = "its source was cut elsewhere: no clip has these frames"
NO_SOURCE = "its source file was not among the sources"


@dataclass(frozen=True)
class Item:
    """A clip or an image, of which file, and why the version without it lacks it."""

    item_id: str
    kind: str
    path: str
    reason: str


@dataclass(frozen=True)
class DatasetChange:
    """From one version to another. Of items that are in both, `moved` have changed their split."""

    before: str
    after: str
    out: tuple[Item, ...] = ()
    added: tuple[Item, ...] = ()
    in_both: int = 0
    moved: int = 0
    note: str | None = None
    """Why nothing is known."""

    @staticmethod
    def reasons(items: tuple[Item, ...]) -> list[tuple[str, int]]:
        """Each reason with how many items it is of, the most first."""
        return Counter(item.reason for item in items).most_common()


def dataset_change(project: Project, before: str, after: str) -> DatasetChange:
    """What became of the items of a version of the training set in another one."""
    if before == after:
        return DatasetChange(before, after)
    try:
        first, second = _Version(project, keep(project, before)), _Version(project, keep(project, after))
    except LostVersion as error:
        return DatasetChange(before, after, note=str(error))
    both = first.items.keys() & second.items.keys()
    return DatasetChange(
        before,
        after,
        out=tuple(_missing(first, second)),
        added=tuple(_missing(second, first)),
        in_both=len(both),
        moved=sum(first.items[item][2] != second.items[item][2] for item in both),
    )


class _Version:
    """A version of the training set, and what curation had decided when it was made."""

    def __init__(self, project: Project, version: DatasetVersion) -> None:
        self._project, self._version = project, version

    @cached_property
    def items(self) -> dict[str, tuple[str, str, str]]:
        """Item → (kind, path of its source, split)."""
        rows = tables.each(self._version.samples, ["item_id", "kind", "path", "split"])
        return {row["item_id"]: (row["kind"], row["path"], row["split"]) for row in rows}

    def reasons(self, wanted: Mapping[str, tuple[str, str, str]]) -> dict[str, str]:
        """Item → why it is not in this version."""
        found: dict[str, str] = {}
        for kind in CURATED:
            of_kind = {item: path for item, (known, path, _) in wanted.items() if known == kind}
            if of_kind:
                found |= self._reasons(kind, of_kind)
        return found

    def _reasons(self, kind: str, wanted: Mapping[str, str]) -> dict[str, str]:
        """Of one kind; `wanted` maps items to the path of their source."""
        name, key = CURATED[kind]
        made = self._version.made_from.get(name)
        try:
            table = table_of(self._project, name, made) if made else None
        except LostVersion:
            table = None
        if table is None:
            return dict.fromkeys(wanted, f"not known: the {name} of that version are lost")
        verdicts = dict(_verdicts(table, key, list(wanted)))
        known = _paths(table, set(wanted.values()))
        return {item: verdicts.get(item, OTHER_CUT if path in known else NO_SOURCE) for item, path in wanted.items()}


def _missing(of: _Version, without: _Version) -> Iterator[Item]:
    gone = {item: facts for item, facts in of.items.items() if item not in without.items}
    reasons = without.reasons(gone)
    for item, (kind, path, _) in sorted(gone.items(), key=lambda each: (each[1][1], each[0])):
        yield Item(item, kind, path, reasons[item])


def _verdicts(table: Path, key: str, wanted: list[str]) -> Iterator[tuple[str, str]]:
    """(item, why it is out) of those that are in the table."""
    ids = pa.array(wanted, pa.string())
    for part in tables.parts(table, [key, "rejected_by", "reason"]):
        for row in part.filter(pc.is_in(part[key].cast(pa.string()), ids)).to_pylist():
            step = row["rejected_by"]
            yield row[key], LATER_STEP if step is None else f"{step.replace('_', ' ')}: {row['reason']}"


def _paths(table: Path, wanted: set[str]) -> set[str]:
    """Those of these source files that the table has rows of."""
    ids, found = pa.array(sorted(wanted), pa.string()), set[str]()
    for part in tables.parts(table, ["path"]):
        found |= set(pc.unique(part.filter(pc.is_in(part["path"].cast(pa.string()), ids))["path"]).to_pylist())
    return found
