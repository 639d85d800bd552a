"""The funnel: how much is left after every step, and why the rest is out."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from ops.curation.reasons import MEANINGS, Reason
from ops.data import tables
from ops.data.tables import Row, kept
from ops.runtime.project import Project

CLIP_STEPS = ("shots", "motion", "text_crop", "aesthetics", "technical_quality", "motion_recheck", "near_duplicates")
IMAGE_STEPS = ("min_side", "aesthetics", "technical_quality")
"""Shown always; the rules of single collections are shown where they have rejected something."""
IMAGE_ORDER = ("min_side", "watermark", "language", "people", "aesthetics", "technical_quality", "recognised_text")
MOST_REASONS = 5


def funnel(project: Project) -> list[dict[str, Any]]:
    """One row a step, in order, for videos, images and the items of the dataset.

    Keys: `kind` (video, image or item), `step`, `kept`, `rejected`, `share` of what the kind began with, `seconds`
    of video left (None for images), `reasons` {sentence: count}, most frequent first, and `codes` {reason code: count}
    of all that have one. The share of clips counts
    seconds of the slices, since shots cut one slice into several clips; of all others it counts rows.
    """
    return [*_videos(project), *_images(project), *_items(project)]


def seconds(row: Row) -> float:
    return (row["end_frame"] - row["start_frame"]) / row["fps"]


def _videos(project: Project) -> list[dict[str, Any]]:
    files = tables.read(project.table("raw_videos"))
    slices = tables.read(project.table("clips"))
    clips = tables.read(project.table("curated_clips"))
    if not files:
        return []
    whole = sum(map(seconds, slices)) or 1.0
    out = [_row("video", "raw_videos", kept(files), _rejected(files), len(kept(files)) / len(files))]
    out[0]["seconds"] = round(sum(row["seconds"] for row in kept(files)), 3)
    left = kept(slices)
    out.append(_clip_row("clips", left, _rejected(slices), whole))
    left = clips
    for step in _order(clips, ("clips", *CLIP_STEPS)):
        gone = [row for row in left if row["rejected_by"] == step]
        left = [row for row in left if row["rejected_by"] != step]
        if step != "clips":
            out.append(_clip_row(step, left, gone, whole))
    return out


def _images(project: Project) -> list[dict[str, Any]]:
    files = tables.read(project.table("raw_images"))
    if not files:
        return []
    left = tables.read(project.table("curated_images"))
    found = {row["rejected_by"] for row in left}
    known = tuple(step for step in IMAGE_ORDER if step in IMAGE_STEPS or step in found)
    out = []
    for step in _order(left, ("raw_images", *known)):
        gone = [row for row in left if row["rejected_by"] == step]
        left = [row for row in left if row["rejected_by"] != step]
        out.append(_row("image", step, left, gone, len(left) / len(files)))
    return out


def _items(project: Project) -> list[dict[str, Any]]:
    """Captions and buckets, once there are any."""
    if not project.table("captions").is_file():
        return []
    captions = tables.read(project.table("captions"))
    out = [
        _row(
            "item",
            "captions",
            kept(captions),
            _rejected(captions),
            len(kept(captions)) / (len(captions) or 1),
        )
    ]
    folder = project.data / "training_set"
    if (folder / "buckets.parquet").is_file():
        left = len({row["item_id"] for row in tables.read(folder / "samples.parquet")})
        dropped = [row for row in tables.read(folder / "buckets.parquet") if row["bucket"] is None]
        row = _row("item", "training_set", [], [], left / (len(captions) or 1))
        row |= {"kept": left, "rejected": sum(row["items"] for row in dropped)}
        row["reasons"] = {found["reason"]: found["items"] for found in dropped}
        out.append(row)
    return out


def _clip_row(step: str, left: Sequence[Row], gone: Sequence[Row], whole: float) -> dict[str, Any]:
    remaining = sum(map(seconds, left))
    return _row("video", step, left, gone, remaining / whole) | {"seconds": round(remaining, 3)}


def _row(kind: str, step: str, left: Sequence[Row], gone: Sequence[Row], share: float) -> dict[str, Any]:
    return {
        "kind": kind,
        "step": step,
        "kept": len(left),
        "rejected": len(gone),
        "share": round(share, 6),
        "seconds": None,
        "reasons": _reasons(gone),
        "codes": dict(Counter(row["reason_code"] for row in gone if row.get("reason_code")).most_common()),
    }


def _rejected(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if row["rejected_by"] is not None]


def _order(rows: Iterable[Row], known: tuple[str, ...]) -> list[str]:
    """The known steps and, after them, whatever else rejected a row: no rejection may go uncounted."""
    others = {row["rejected_by"] for row in rows} - {None, *known}
    return [*known, *sorted(others)]


def without_number(reason: str | None) -> str:
    """The reason with … for the measured number, which is the first of the sentence: what many rows share."""
    return re.sub(r"(?<![\w.])-?\d[\d.]*(?= | is )", "…", reason or "", count=1)


def _reasons(rows: Iterable[Row]) -> dict[str, int]:
    """Counted by code. A code is told by its sentence, if it has only one, and otherwise by its fixed meaning.

    Sentences that differ in the measured number only count as one.
    """
    sentences: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        sentence = without_number(row["reason"])
        sentences[row.get("reason_code") or sentence][sentence] += 1
    counted: Counter[str] = Counter()
    for code, told in sentences.items():
        counted[next(iter(told)) if len(told) == 1 else MEANINGS[Reason(code)]] += told.total()
    reasons = dict(counted.most_common(MOST_REASONS))
    if others := counted.total() - sum(reasons.values()):
        reasons["other reasons"] = others
    return reasons
