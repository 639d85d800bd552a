"""The step `captions`: one caption for every kept clip and image, or the reason why there is none."""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import pyarrow.compute as pc

from ops.data import pixels
from ops.data.captioning.base import Captioner, Item, NoCaption, Written
from ops.data.captioning.memory import CaptionMemory
from ops.data.captioning.registry import captioner
from ops.data.captioning.sidecar import SidecarCaptioner
from ops.data.captioning.text import cut, tidy
from ops.data.columns import CAPTIONS
from ops.runtime import tables
from ops.runtime.progress import Progress
from ops.runtime.project import Project
from ops.runtime.tables import Row

SCHEMA = CAPTIONS.schema
"""`item_id` is a clip_id or an image's source_id; `captioner` is its identity as JSON; `note` says what was cut."""

Outcome = Written | NoCaption


class NothingCaptioned(RuntimeError):
    """There were clips or images, and none of them has a caption; the message counts the reasons."""


def captions(project: Project) -> None:
    """Write data/captions.parquet: one row per kept clip and image.

    Raises:
        NothingCaptioned: not a single one has a caption.
    """
    settings = project.settings
    writer, given = captioner(project), SidecarCaptioner(settings.seed)
    items = list(_items(project))
    kept = [bool(item.captions) and (item.collection or item.kind) in settings.captions.keep_given for item in items]
    writers: list[Captioner] = [given if is_kept else writer for is_kept in kept]
    outcomes: dict[str, Outcome] = {}
    progress = Progress.of(project, "captions", len(items), "items")
    with CaptionMemory.of(project, writer) as memory:
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
            progress.update(len(outcomes))
    progress.update(len(outcomes))
    rows = [_row(who, item, outcomes[item.item_id]) for item, who in zip(items, writers, strict=True)]
    tables.write(project.table("captions"), rows, SCHEMA)
    _demand_some(rows)


def _items(project: Project) -> Iterator[Item]:
    # of equal files only one was kept, and its caption counts: rejected rows may be of the same content
    sources = {row["source_id"]: row for row in tables.kept(tables.read(project.table("raw_videos")))}
    for row in tables.kept(tables.read(project.table("curated_clips"))):
        yield _item(project, "video", row["clip_id"], row, sources[row["source_id"]])
    for row in tables.kept(tables.read(project.table("curated_images"))):
        yield _item(project, "image", row["source_id"], row, row)


def _item(project: Project, kind: Any, item_id: str, row: Row, source: Row) -> Item:
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


def _demand_some(rows: Sequence[Row]) -> None:
    if not rows or tables.kept(rows):
        return
    counted = Counter(row["reason"] for row in rows).most_common(3)
    reasons = "; ".join(f"{count} times: {reason}" for reason, count in counted)
    raise NothingCaptioned(f"none of {len(rows)} clips and images has a caption: {reasons}")
