"""The step `training_set`: windows of kept clips and kept images, in buckets, split by source."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from ops.catalogue import Kind
from ops.config import DEFAULT_CUT, Cut, Settings
from ops.data.buckets import Bucket, NotChosen, Unusable, nearest_size, require_size
from ops.data.columns import SAMPLE_SCORES
from ops.data.frame_windows import windows
from ops.data.item_tally import ItemTally
from ops.data.samples import BUCKETS, SAMPLES
from ops.data.text_encoder import is_readable
from ops.runtime import tables
from ops.runtime.lookup import Lookup
from ops.runtime.project import Project
from ops.runtime.tables import Row

OF_SOURCE = ("source_id", "root", "path", "sha256", "licence")
OF_ITEM = (*OF_SOURCE, "width", "height", *chain(*SAMPLE_SCORES.items()))


class EmptyTrainingSet(ValueError):
    """Nothing, or too little, of what was curated can be trained on; the message counts the reasons."""


class _Curated(NamedTuple):
    """A table of items, and what of it is asked for."""

    kind: Kind
    table: str
    key: str
    columns: tuple[str, ...]


CURATED = (
    _Curated("video", "curated_clips", "clip_id", (*OF_ITEM, "start_frame", "end_frame", "fps", "frame_times", "crop")),
    _Curated("image", "curated_images", "source_id", OF_ITEM),
)


@dataclass(frozen=True)
class _Item:
    kind: Kind
    item_id: str
    row: Row
    caption: str | None

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of what is left after the crop."""
        if crop := self.row.get("crop"):
            x0, x1, y0, y1 = crop
            return y1 - y0, x1 - x0
        return self.row["height"], self.row["width"]


def training_set(project: Project) -> None:
    """Write data/training_set/samples.parquet and buckets.parquet.

    Samples are written as they are made. Which split they are of is known when all are, and then they are copied.

    Raises:
        EmptyTrainingSet: more than `dataset.max_dropped_share` of the curated items fit no bucket of some cut.
        EmptySplit: a kind has a single source, so that nothing can be held out.
    """
    settings, folder, tally = project.settings, project.data / "training_set", ItemTally()
    project.data.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".training_set-", dir=project.data) as temporary:
        unsplit = Path(temporary) / "samples.parquet"
        schema = SAMPLES.remove(SAMPLES.get_field_index("split"))
        samples = _Samples(settings, tally)
        scores = {rule.score for wanted in settings.cuts().values() for rule in wanted.cut.where}
        parts = (tables.of_rows(samples.of(items), schema) for items in _items(project, scores))
        tables.write_parts(unsplit, parts, schema)
        _check(tally, settings)
        out = tally.held_out(settings.dataset.held_out_share, settings.seed)
        split = pa.table({"split": tally.splits(out)})
        tables.rewrite(folder / "samples.parquet", unsplit, split, SAMPLES)
    tables.write_parts(folder / "buckets.parquet", tally.buckets(out), BUCKETS)


def _items(project: Project, scores: Collection[str]) -> Iterator[list[_Item]]:
    """What was kept, each with its caption and these scores, some thousand at a time: clips, and then images."""
    for kind, name, key, columns in CURATED:
        path, at = project.table(name), 0
        known = [score for score in sorted(scores) if score in tables.names_of(path)]
        captions = Lookup(project.table("captions"), "item_id", ["caption"], tables.kept_column(path, key))
        for rows in tables.kept_rows(path, list(dict.fromkeys((key, *columns, *known)))):
            told = captions.rows(at, len(rows))["caption"].to_pylist()
            at += len(rows)
            yield [_Item(kind, row[key], row, caption) for row, caption in zip(rows, told, strict=True)]


class _Samples:
    """Makes samples of items, for every cut that the recipe wants; the tally hears of every item."""

    def __init__(self, settings: Settings, tally: ItemTally) -> None:
        self._settings, self._tally, self._cuts = settings, tally, settings.cuts()
        self._sizes = {name: wanted.cut.sizes() for name, wanted in self._cuts.items()}

    def of(self, items: list[_Item]) -> list[Row]:
        """The samples of items, all but for their split."""
        samples: list[Row] = []
        contents: list[str] = []
        dropped: dict[tuple[str, Kind, str, bool], list[str]] = defaultdict(list)
        for item in items:
            for name, wanted in self._cuts.items():
                if item.kind not in wanted.kinds:
                    continue
                try:
                    found = list(self._of_item(item, name, wanted.cut))
                except Unusable as unusable:
                    counted = not isinstance(unusable, NotChosen)
                    dropped[name, item.kind, str(unusable), counted].append(item.item_id)
                    continue
                samples += found
                contents.append(item.row["sha256"])
        self._tally.contents(contents)
        for (name, kind, reason, counted), ids in dropped.items():
            self._tally.drop(name, kind, reason, ids, counted)
        return samples

    def _of_item(self, item: _Item, name: str, cut: Cut) -> Iterator[Row]:
        row, encoder, caption = item.row, self._settings.text_encoder, item.caption
        if caption is None:
            raise Unusable("there is no caption")
        if not is_readable(caption, encoder):
            limit = f"text_encoder.min_readable_share ({encoder.min_readable_share:g})"
            raise Unusable(f"{encoder.weights} reads less of the caption than {limit} asks for")
        for rule in cut.where:
            if rule.score in row and (row[rule.score] is None or rule.passed_by(row[rule.score])):
                raise NotChosen(f"dataset.where asks for another {rule.score}")
        if item.kind == "image":
            chosen = [[0]]
        else:
            span = (row["start_frame"], row["end_frame"], row["fps"])
            chosen = windows(item.item_id, *span, cut, self._settings.seed, row["frame_times"])
        height, width = nearest_size(*item.size, self._sizes[name], cut.min_kept_share)
        if not cut.enlarge:
            require_size(*item.size, (height, width))
        bucket = Bucket(len(chosen[0]), height, width)
        self._tally.add(name, item.kind, bucket, item.size, len(chosen))
        named = str(bucket)
        shared = {
            "item_id": item.item_id,
            "kind": item.kind,
            "cut": name,
            "bucket": named,
            "frames": bucket.frames,
            "height": height,
            "width": width,
            "crop": row.get("crop"),
            "caption": caption,
            **_scores(row),
            **{key: row[key] for key in OF_SOURCE},
        }
        for indices in chosen:
            yield {"sample_id": _sample_id(item.item_id, indices, named, name), "frame_indices": indices, **shared}


def _sample_id(item_id: str, indices: list[int], bucket: str, cut: str) -> str:
    told = f"{item_id}:{indices}:{bucket}" + (f":{cut}" if cut != DEFAULT_CUT else "")
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _scores(row: Row) -> Row:
    scores: Row = {}
    for score, scorer in SAMPLE_SCORES.items():
        known = row.get(scorer)
        scores |= {score: row.get(score), scorer: known and _scorer(known)}
    return scores


@cache
def _scorer(made_by: str) -> str:
    name: str = json.loads(made_by)["scorer"]
    return name


def _check(tally: ItemTally, settings: Settings) -> None:
    most = settings.dataset.max_dropped_share
    for name in settings.cuts():
        reasons = tally.reasons.get(name, Counter())
        dropped = reasons.total()
        items = tally.used[name] + dropped
        of = "" if name == DEFAULT_CUT else f" of the trainings whose dataset has {name}"
        if items == 0:
            raise EmptyTrainingSet(
                "no curated clip and no curated image is left: see the funnel in data/dataset_report"
                if name == DEFAULT_CUT
                else f"no curated item is chosen{of}: lower what dataset.where asks for there"
            )
        if dropped == items or dropped / items > most:
            told = "; ".join(f"{number} because {reason}" for reason, number in reasons.most_common(5))
            raise EmptyTrainingSet(
                f"{dropped} of {items} curated items fit no bucket{of}, more than dataset.max_dropped_share "
                f"({most:g}) allows: {told}"
            )
