"""What must hold of several columns of a row together, or of what is in a list or a text of JSON.

Each takes a row of a table, in which null is None. A row that is incomplete in what another expectation asks for is
not told here once more, unless nothing can be said without it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence, Sized
from itertools import pairwise
from math import inf, isfinite
from pathlib import PurePosixPath
from re import fullmatch
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ops.runtime.tables import Row


def stays_below(path: str) -> bool:
    """Whether a path is one that a table of sources may keep: relative to its root, and never leading up."""
    steps = PurePosixPath(path)
    return not steps.is_absolute() and ".." not in steps.parts and bool(steps.parts)


def is_inside(crop: Sequence[int] | None, width: int | None, height: int | None) -> bool:
    """Whether a crop [x0, x1, y0, y1], or none, is one of a picture of this size."""
    if crop is None:
        return True
    if len(crop) != 4 or not width or not height:
        return False
    x0, x1, y0, y1 = crop
    return bool(0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height)


def is_hash(text: str) -> bool:
    """Whether this is a perceptual hash as tables hold it."""
    return fullmatch("[0-9a-f]{16}", text) is not None


def names_a_scorer(text: str | None) -> bool:
    try:
        return text is not None and bool(json.loads(text)["scorer"])
    except (ValueError, KeyError, TypeError):
        return False


def verdict_is_whole(row: Row) -> bool:
    return len({row[name] is None for name in ("rejected_by", "reason_code", "reason")}) == 1


def path_stays_below(row: Row) -> bool:
    return row["path"] is None or stays_below(row["path"])


def has_frames(row: Row) -> bool:
    return None not in (row["start_frame"], row["end_frame"]) and bool(row["start_frame"] < row["end_frame"])


def crop_is_inside(row: Row) -> bool:
    return is_inside(row["crop"], row["width"], row["height"])


def seek_points_rise(row: Row) -> bool:
    """Pairs of a frame and a time stamp, each above the one before; null where the file cannot be used."""
    points = row["seek_points"]
    pairs = [] if points is None else [tuple(point) for point in points]
    steps = pairwise(pairs)
    return all(len(pair) == 2 for pair in pairs) and all(a[0] < b[0] and a[1] < b[1] for a, b in steps)


def times_fit(row: Row) -> bool:
    """Null at a constant rate, and where the file cannot be used."""
    times = row["frame_times"]
    if times is None:
        return not row.get("variable_frame_rate")
    if "frames" in row:
        frames = row["frames"]
    else:
        frames = None if None in (row["start_frame"], row["end_frame"]) else row["end_frame"] - row["start_frame"]
    return frames is not None and len(times) == frames + 1 and all(before <= after for before, after in pairwise(times))


def series_fits(row: Row) -> bool:
    """A number for each two sampled frames; probabilities only where a network was asked."""
    gaps = max(_length(row["sampled_frames"]) - 1, 0)
    probabilities = row["cut_probabilities"]
    return _length(row["cut_distances"]) == gaps and (probabilities is None or _length(probabilities) == gaps)


def boxes_are_boxes(row: Row) -> bool:
    """JSON: for each frame looked at, a list of [x0, x1, y0, y1]; null where nothing was looked at."""
    if row["text_boxes"] is None:
        return True
    try:
        return all(x0 <= x1 and y0 <= y1 for boxes in json.loads(row["text_boxes"]) for x0, x1, y0, y1 in boxes)
    except (ValueError, TypeError):
        return False


def lines_are_lines(row: Row) -> bool:
    """JSON: lines of text in a picture; null where nobody looked for any."""
    if row["text_lines"] is None:
        return True
    try:
        lines = json.loads(row["text_lines"])
        return all(line["text"] and 0 <= line["confidence"] <= 1 and len(line["box"]) == 4 for line in lines)
    except (ValueError, KeyError, TypeError):
        return False


def text_is_read(row: Row) -> bool:
    return row["collection"] != "text" or _length(row["recognised_text"]) > 0


def hashes_are_hashes(row: Row) -> bool:
    return row["perceptual_hash"] is None or all(map(is_hash, row["perceptual_hash"]))


def bucket_or_reason(row: Row) -> bool:
    if row["bucket"] is not None:
        return row["reason"] is None and bool(row["samples"])
    return row["reason"] is not None and row["samples"] == 0 and len(row["dropped"]) == row["items"]


def enlarged_are_samples(row: Row) -> bool:
    return None in (row["enlarged"], row["samples"]) or row["enlarged"] <= row["samples"]


def stands_beside(name: str, other: str) -> Callable[[Row], bool]:
    """No `name` without `other`."""
    return lambda row: row[name] is None or row[other] is not None


def is_told(name: str, scorer: str) -> Callable[[Row], bool]:
    """No `name` without the scorer that measured it."""
    return lambda row: row[name] is None or names_a_scorer(row[scorer])


def are_numbers(name: str, lowest: float = -inf, highest: float = inf) -> Callable[[Row], bool]:
    """One finite number or a list of them, within bounds; null is none."""

    def check(row: Row) -> bool:
        value = row[name]
        values: Iterable[float] = [] if value is None else [value] if isinstance(value, float) else value
        return all(isfinite(each) and lowest <= each <= highest for each in values)

    return check


def _length(values: Sized | None) -> int:
    return 0 if values is None else len(values)
