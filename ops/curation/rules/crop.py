"""Cutting text off the edges of a picture (arXiv 2412.00131 §4; the exact rule is ours)."""

from __future__ import annotations

from collections.abc import Sequence

from ops.config import TextCrop
from ops.curation.clip import Box, Crop

SIDES = ("left", "right", "top", "bottom")
BREAK_TIES = ("top", "bottom", "left", "right")
"""Between sides that cost the same area."""


def crop_of(frames: Sequence[Sequence[Box]], width: int, height: int, rule: TextCrop) -> Crop | None:
    """The picture without its edge text, or None when nothing is cut off.

    A box counts for a side when it lies wholly within that side's band; where two sides could remove it, for the one
    that costs less area. A side is cut when text is seen there in enough frames.
    """
    cuts: dict[str, list[int]] = {side: [] for side in SIDES}
    seen: dict[str, set[int]] = {side: set() for side in SIDES}
    for number, boxes in enumerate(frames):
        for box in boxes:
            side = cheapest_side(box, width, height, rule.max_share)
            if side is not None:
                cuts[side].append(inner_edge(box, side))
                seen[side].add(number)
    taken = [side for side in SIDES if _often(len(seen[side]), len(frames), rule)]
    if not taken:
        return None
    left = _even_up(max(cuts["left"])) if "left" in taken else 0
    right = _even_down(min(cuts["right"])) if "right" in taken else width
    top = _even_up(max(cuts["top"])) if "top" in taken else 0
    bottom = _even_down(min(cuts["bottom"])) if "bottom" in taken else height
    return left, right, top, bottom


def cheapest_side(box: Box, width: int, height: int, max_share: float) -> str | None:
    """The side whose cut removes the box and loses least; None for text that reaches the middle."""
    x0, x1, y0, y1 = box
    lost = {"left": x1 / width, "right": 1 - x0 / width, "top": y1 / height, "bottom": 1 - y0 / height}
    allowed = [side for side in BREAK_TIES if lost[side] <= max_share]
    return min(allowed, key=lambda side: lost[side], default=None)


def inner_edge(box: Box, side: str) -> int:
    x0, x1, y0, y1 = box
    return {"left": x1, "right": x0, "top": y1, "bottom": y0}[side]


def central_share(frames: Sequence[Sequence[Box]], width: int, height: int, rule: TextCrop) -> float | None:
    """The largest share of a frame's area under text that no allowed crop removes; None if no frame was looked at."""
    if not frames:
        return None
    shares = [0.0]
    for boxes in frames:
        central = [box for box in boxes if cheapest_side(box, width, height, rule.max_share) is None]
        shares.append(sum((x1 - x0) * (y1 - y0) for x0, x1, y0, y1 in central) / (width * height))
    return min(1.0, max(shares))


def _often(times: int, frames: int, rule: TextCrop) -> bool:
    return times > 0 and (times >= rule.min_seen_frames or times > rule.min_seen_share * frames)


def _even_up(value: int) -> int:
    return value + value % 2


def _even_down(value: int) -> int:
    return value - value % 2
