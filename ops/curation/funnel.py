"""The pixel steps of curation in order, over one clip: measure, decide, go on only while the clip is in.

This order is walked twice with different hands: by a worker that holds the decoded frames, and by whoever only wants
to know which scores are still missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypedDict

from ops.config import Curation
from ops.curation.clip import Clip, sampled_frames
from ops.curation.crop_rule import central_share, crop_of
from ops.curation.jump_cuts import find_cuts, length_reason, locate, pieces
from ops.curation.rules import rejection


class SliceSeries(TypedDict):
    """The raw score of `shots`, of a slice with sampled frames s_0 to s_n."""

    distances: list[float]
    """LPIPS from each sampled frame to the next: n of them."""
    changes: list[float]
    """Of the picture from each decoded frame to the next (`frame_changes`): s_n - s_0 of them."""
    returns: list[float]


class Measure(Protocol):
    """Gives a step's raw score of a clip, from the store or by looking at it."""

    def __call__(self, step: str, clip: Clip) -> Any: ...


def walk(step: str, clip: Clip, rules: Curation, measure: Measure) -> None:
    """Take a clip through `step` and every later pixel step, until a rule says that it is out."""
    if step == "shots":
        _from_slice(clip, rules, measure)
    elif step == "text_crop":
        _from_piece(clip, rules, measure)
    else:
        _from_clip(clip, rules, measure)


def pieces_of(clip: Clip, series: SliceSeries, rules: Curation) -> list[Clip]:
    """The pieces of a slice between its jump cuts."""
    sampled = sampled_frames(clip, rules.sampling.frames_per_second)
    cuts = []
    for transition in find_cuts(series["distances"], rules.shots):
        before, after = sampled[transition : transition + 2]
        gap = slice(before - sampled[0], after - sampled[0])
        cut = locate(before, series["changes"][gap], series["returns"][gap], rules.shots)
        cuts += [] if cut is None else [cut]
    return [clip.part(*span) for span in pieces(clip.start, clip.end, cuts)]


def mean_motion(clip: Clip, sampled: Sequence[int], distances: Sequence[float]) -> float | None:
    """The mean of the transitions that lie wholly inside a piece; None when it has none."""
    inside = [
        distance
        for before, after, distance in zip(sampled, sampled[1:], distances, strict=False)
        if clip.start <= before and after < clip.end
    ]
    return mean(inside)


def mean(distances: Sequence[float]) -> float | None:
    return sum(distances) / len(distances) if distances else None


def _from_slice(clip: Clip, rules: Curation, measure: Measure) -> None:
    series: SliceSeries = measure("shots", clip)
    sampled = sampled_frames(clip, rules.sampling.frames_per_second)
    for piece in pieces_of(clip, series, rules):
        wrong_length = length_reason(piece.end - piece.start, piece.fps, rules.shots)
        if not wrong_length and not rejection(rules, "motion", mean_motion(piece, sampled, series["distances"])):
            _from_piece(piece, rules, measure)


def _from_piece(piece: Clip, rules: Curation, measure: Measure) -> None:
    boxes = measure("text_crop", piece)
    if rejection(rules, "central_text", central_share(boxes, piece.width, piece.height, rules.text_crop)):
        return
    _from_clip(piece.cropped(crop_of(boxes, piece.width, piece.height, rules.text_crop)), rules, measure)


def _from_clip(clip: Clip, rules: Curation, measure: Measure) -> None:
    for step, score in (("aesthetics", "aesthetic"), ("technical_quality", "technical")):
        if rejection(rules, score, measure(step, clip)):
            return
    if clip.crop is not None and rejection(rules, "motion_cropped", mean(measure("motion_recheck", clip))):
        return
    if rules.near_duplicates.enabled:
        measure("near_duplicates", clip)
