"""The step `captions`: one caption for every kept clip and image, or the reason why there is none."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from ops.data import pixels, tables
from ops.data.caption_text import cut, tidy
from ops.data.captioners import Captioner, Item, NoCaption, captioner
from ops.data.tables import Row
from ops.runtime.files import digest
from ops.runtime.progress import Progress
from ops.runtime.project import Project

SCHEMA = pa.schema(
    [
        ("item_id", pa.string()),
        ("kind", pa.string()),
        ("caption", pa.string()),
        ("captioner", pa.string()),
        ("origin", pa.string()),
        ("note", pa.string()),
        ("rejected_by", pa.string()),
        ("reason", pa.string()),
    ]
)
"""`item_id` is a clip_id or an image's source_id; `captioner` is its identity as JSON; `note` says what was cut."""


def captions(project: Project) -> None:
    """Write data/captions.parquet: one row per kept clip and image."""
    writer = captioner(project.settings.captions, project.settings.seed)
    items = list(_items(project))
    progress = Progress.of(project, "captions", len(items), "items")
    with _Memory.of(project, writer) as memory, ThreadPoolExecutor(writer.workers) as pool:
        rows = progress.over(pool.map(partial(_row, writer, memory), items))
        tables.write(project.table("captions"), list(rows), SCHEMA)


def _items(project: Project) -> Iterator[Item]:
    sources = {row["source_id"]: row for row in tables.read(project.table("raw_videos"))}
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
    )


def _row(writer: Captioner, memory: _Memory, item: Item) -> Row:
    identity = writer.identity()
    row = {
        "item_id": item.item_id,
        "kind": item.kind,
        "captioner": json.dumps(identity, sort_keys=True),
        "origin": identity["name"],
    }
    try:
        written = memory.recall(item.item_id) or memory.keep(item.item_id, writer.caption(item))
    except NoCaption as error:
        return {**row, "rejected_by": "captions", "reason": str(error)}
    tidied = tidy(written)
    if not tidied:
        return {**row, "rejected_by": "captions", "reason": f"the caption of {item.name} is empty"}
    caption = cut(tidied)
    note = None if caption == tidied else f"cut from {len(tidied):,} to {len(caption):,} characters"
    return {**row, "caption": caption, "note": note}


class _Memory:
    """Captions that cost something, one JSON line each, so that a stopped run goes on where it was."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._known = dict(_lines(path.read_text().splitlines())) if path and path.is_file() else {}

    @classmethod
    def of(cls, project: Project, writer: Captioner) -> _Memory:
        identity = writer.identity()
        free = identity["name"] == "sidecar"
        return cls(None if free else project.var / "captions" / f"{digest(identity)}.jsonl")

    def __enter__(self) -> _Memory:
        if self._path:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("a")
        return self

    def __exit__(self, *_: object) -> None:
        if self._path:
            self._file.close()

    def recall(self, item_id: str) -> str | None:
        return self._known.get(item_id)

    def keep(self, item_id: str, caption: str) -> str:
        if self._path:
            self._file.write(json.dumps([item_id, caption]) + "\n")
            self._file.flush()
        return caption


def _lines(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        try:
            item_id, caption = json.loads(line)
        except ValueError:
            continue  # the line that a killed process was writing
        yield item_id, caption
