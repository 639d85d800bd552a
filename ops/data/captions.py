"""The step `captions`: one caption for every kept clip and image, or the reason why there is none."""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ops.catalogue import Kind
from ops.data import pixels
from ops.data.captioning.base import Captioner, Item, NoCaption, Written
from ops.data.captioning.memory import CaptionMemory
from ops.data.captioning.registry import captioner
from ops.data.captioning.sidecar import SidecarCaptioner
from ops.data.captioning.text import cut, tidy
from ops.data.columns import CAPTIONS
from ops.runtime import tables
from ops.runtime.lookup import Lookup
from ops.runtime.progress import Progress
from ops.runtime.project import Project
from ops.runtime.tables import Row

SCHEMA = CAPTIONS.schema
"""`item_id` is a clip_id or an image's source_id; `captioner` is its identity as JSON; `note` says what was cut."""

Outcome = Written | NoCaption
AT_ONCE = 8_192
"""Items that are Python objects at a time."""
OF_ITEM = (
    *("clip_id", "source_id", "root", "path", "collection", "recognised_text", "captions", "caption_error"),
    *("start_frame", "end_frame", "fps", "frame_times", "crop"),
)
"""What is known of it, and how its frames are found."""


class NothingCaptioned(RuntimeError):
    """There were clips or images, and none of them has a caption; the message counts the reasons."""


def captions(project: Project) -> None:
    """Write data/captions.parquet: one row per kept clip and image.

    Raises:
        NothingCaptioned: not a single one has a caption.
    """
    writer, reasons = captioner(project), _Reasons()
    count = sum(
        len(tables.kept_column(project.table(name), "source_id")) for name in ("curated_clips", "curated_images")
    )
    progress = Progress.of(project, "captions", count, "items")
    with CaptionMemory.of(project, writer) as memory:

        def parts() -> Iterator[pa.Table]:
            every, done = _items(project), 0
            while items := list(islice(every, AT_ONCE)):
                rows = _rows(project, writer, memory, items, partial(_tell, progress, done))
                done += len(items)
                yield tables.of_rows(reasons.of(rows), SCHEMA)

        tables.write_parts(project.table("captions"), parts(), SCHEMA)
    reasons.demand_some()


def _tell(progress: Progress, before: int, of_these: int) -> None:
    progress.update(before + of_these)


def _rows(
    project: Project, writer: Captioner, memory: CaptionMemory, items: Sequence[Item], done: Callable[[int], None]
) -> list[Row]:
    """Those of some items, in their order: what came along, what is remembered, and what the rest is asked for."""
    given, keep_given = SidecarCaptioner(project.settings.seed), project.settings.captions.keep_given
    kept = [bool(item.captions) and (item.collection or item.kind) in keep_given for item in items]
    writers: list[Captioner] = [given if is_kept else writer for is_kept in kept]
    outcomes: dict[str, Outcome] = {}
    missing = []
    for item, who in zip(items, writers, strict=True):
        if who is given:
            (outcomes[item.item_id],) = given.write([item])
        elif found := memory.recall(item):
            outcomes[item.item_id] = found
        else:
            missing.append(item)
    for item, outcome in _asked(writer, memory, missing):
        outcomes[item.item_id] = outcome
        done(len(outcomes))
    done(len(outcomes))
    return [_row(who, item, outcomes[item.item_id]) for item, who in zip(items, writers, strict=True)]


def _items(project: Project) -> Iterator[Item]:
    """What was kept: clips, and then images."""
    path, at = project.table("curated_clips"), 0
    # of equal files only one was kept, and its caption counts: rejected rows may be of the same content
    asked = tables.kept_column(path, "source_id")
    sources = Lookup(project.table("raw_videos"), "source_id", ["captions", "caption_error"], asked)
    for rows in _kept(path):
        told = sources.rows(at, len(rows)).to_pylist()
        at += len(rows)
        yield from (_item(project, "video", row["clip_id"], row, of) for row, of in zip(rows, told, strict=True))
    for rows in _kept(project.table("curated_images")):
        yield from (_item(project, "image", row["source_id"], row, row) for row in rows)


def _kept(path: Path) -> Iterator[list[Row]]:
    return tables.kept_rows(path, [name for name in pq.read_schema(path).names if name in OF_ITEM])


def _item(project: Project, kind: Kind, item_id: str, row: Row, source: Row) -> Item:
    return Item(
        item_id=item_id,
        kind=kind,
        name=row["path"],
        captions=tuple(source["captions"] or ()),
        caption_error=source["caption_error"],
        frames=partial(pixels.spread_frames, project, row),
        collection=row.get("collection"),
        recognised_text=tuple(row.get("recognised_text") or ()),
    )


def _asked(writer: Captioner, memory: CaptionMemory, items: Sequence[Item]) -> Iterator[tuple[Item, Outcome]]:
    """Each item with its outcome, in their order; only a few batches are under way at a time, so that an error ends
    the step soon, and frames of a few items are in memory, not of all."""
    size = writer.batch_size
    batches = (items[start : start + size] for start in range(0, len(items), size))
    waiting: deque[tuple[Sequence[Item], Future[list[Outcome]]]] = deque()
    pool = ThreadPoolExecutor(writer.workers)
    try:
        for batch in batches:
            waiting.append((batch, pool.submit(_write, writer, memory, batch)))
            if len(waiting) >= 2 * writer.workers:
                yield from _next(waiting)
        while waiting:
            yield from _next(waiting)
    finally:
        pool.shutdown(cancel_futures=True)


def _next(waiting: deque[tuple[Sequence[Item], Future[list[Outcome]]]]) -> Iterator[tuple[Item, Outcome]]:
    batch, future = waiting.popleft()
    return zip(batch, future.result(), strict=True)


def _write(writer: Captioner, memory: CaptionMemory, items: Sequence[Item]) -> list[Outcome]:
    outcomes = writer.write(items)
    for item, outcome in zip(items, outcomes, strict=True):
        if isinstance(outcome, Written):
            memory.keep(item, outcome)
    return outcomes


def _row(writer: Captioner, item: Item, outcome: Outcome) -> Row:
    identity = writer.identity()
    row = {
        "item_id": item.item_id,
        "kind": item.kind,
        "captioner": json.dumps(identity, sort_keys=True),
        "origin": identity["name"],
        "rejected_by": None,
    }
    if isinstance(outcome, NoCaption):
        return {**row, "rejected_by": "captions", "reason": str(outcome)}
    row |= {"input_tokens": outcome.input_tokens, "output_tokens": outcome.output_tokens, "cost": outcome.cost}
    tidied = tidy(outcome.text)
    if not tidied:
        return {**row, "rejected_by": "captions", "reason": f"the caption of {item.name} is empty"}
    caption = cut(tidied)
    shortened = None if caption == tidied else f"cut from {len(tidied):,} to {len(caption):,} characters"
    return {**row, "caption": caption, "note": "; ".join(filter(None, (outcome.note, shortened))) or None}


def totals(project: Project) -> dict[str, float]:
    """What the captions that lie there took: `input_tokens`, `output_tokens` and `cost`, each left out if no caption
    says it."""
    table = tables.read_columns(project.table("captions"), ["input_tokens", "output_tokens", "cost"])
    sums = {name: pc.sum(table[name]).as_py() for name in table.column_names}
    return {name: total for name, total in sums.items() if total is not None}


class _Reasons:
    """Counts why there is no caption, for the case that there is none at all."""

    def __init__(self) -> None:
        self._captioned, self._counted = 0, Counter[str]()

    def of(self, rows: list[Row]) -> list[Row]:
        rejected = [row for row in rows if row["rejected_by"] is not None]
        self._captioned += len(rows) - len(rejected)
        if not self._captioned:
            self._counted.update(row["reason"] for row in rejected)
        return rows

    def demand_some(self) -> None:
        if self._captioned or not self._counted:
            return
        reasons = "; ".join(f"{count} times: {reason}" for reason, count in self._counted.most_common(3))
        raise NothingCaptioned(f"none of {self._counted.total()} clips and images has a caption: {reasons}")
