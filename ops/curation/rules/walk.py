"""The pixel steps of curation in order, over some clips: measure, decide, go on only with what is in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import NotRequired, TypedDict

from ops import catalogue
from ops.catalogue import RawScore
from ops.config import Curation
from ops.curation.clip import Clip, sampled_frames
from ops.curation.rules.crop import central_share, crop_of
from ops.curation.rules.jump_cuts import Boundaries, boundary_cuts, find_cuts, length_reason, locate, pieces
from ops.curation.rules.rejection import rejection
from ops.curation.scorers import STEPS, is_on


class SliceSeries(TypedDict):
    """The raw score of `shots`, of a slice with sampled frames s_0 to s_n."""

    distances: list[float]
    """LPIPS from each sampled frame to the next: n of them."""
    changes: list[float]
    """Of the picture from each decoded frame to the next (`frame_changes`): s_n - s_0 of them."""
    returns: list[float]
    boundaries: NotRequired[Boundaries]
    """The raw score of `shot_boundaries`, where the recipe asks for it."""


Measure = Callable[[str, list[Clip]], dict[Clip, RawScore]]
"""Gives a step's raw scores of some clips, from the store or by looking at them; of none that could not be measured."""


def walk(step: str, clips: Iterable[Clip], rules: Curation, measure: Measure) -> None:
    """Take clips through `step` and every later pixel step, until a rule says that they are out."""
    coming: dict[str, list[Clip]] = defaultdict(list, {step: list(clips)})
    for each in STEPS:
        if coming[each]:
            scores = measure(each, coming[each])
            if each == "shots" and is_on("shot_boundaries", rules):
                boundaries = measure("shot_boundaries", list(scores))
                scores = {clip: {**scores[clip], "boundaries": found} for clip, found in boundaries.items()}
            for clip, score in scores.items():
                for later, part in following(each, clip, score, rules):
                    coming[later].append(part)


def following(step: str, clip: Clip, score: object, rules: Curation) -> list[tuple[str, Clip]]:
    """What is measured next when this step's raw score of the clip is known: later steps, and what each looks at. A
    slice goes on as its pieces, a clip without its margins of text; nothing goes on that a rule says is out."""
    after = ((_next(step, part, rules), part) for part in _left_of(step, clip, score, rules))
    return [(later, part) for later, part in after if later is not None]


def _left_of(step: str, clip: Clip, score: RawScore, rules: Curation) -> list[Clip]:
    match step:
        case "shot_boundaries":
            return [clip]
        case "shots":
            return _moving_pieces(clip, score, rules)
        case "text_crop":
            if rejection(rules, "central_text", central_share(score, clip.width, clip.height, rules.text_crop)):
                return []
            return [clip.cropped(crop_of(score, clip.width, clip.height, rules.text_crop))]
        case "motion_recheck":
            score = mean(score)
    ruled = catalogue.STEPS[step].score
    return [] if ruled is not None and rejection(rules, ruled.name, score) else [clip]


def _next(step: str, clip: Clip, rules: Curation) -> str | None:
    """The next measure that the recipe asks for of this clip."""
    later = catalogue.MEASUREMENTS_OF_CLIPS[STEPS.index(step) + 1 :]
    wanted = (each.name for each in later if clip.crop is not None or not each.cropped_only)
    return next((name for name in wanted if is_on(name, rules)), None)


def pieces_of(clip: Clip, series: SliceSeries, rules: Curation) -> list[Clip]:
    """The pieces of a slice between its cuts.

    Where a network was asked, what it finds is a cut, to the frame, and distances add what it misses: hard cuts, such
    as those within a scene. A gradual change that stands out in distances alone is a brisk movement.
    """
    sampled = sampled_frames(clip, rules.sampling.frames_per_second)
    asked = "boundaries" in series
    known = boundary_cuts(clip.start, series["boundaries"], rules.shot_boundaries) if asked else []
    cuts = list(known)
    for transition in find_cuts(series["distances"], rules.shots):
        before, after = sampled[transition : transition + 2]
        if any(cut.end <= after and cut.begin > before for cut in known):
            continue
        gap = slice(before - sampled[0], after - sampled[0])
        cut = locate(before, series["changes"][gap], series["returns"][gap], rules.shots)
        if cut is not None and (cut.is_hard or not asked):
            cuts.append(cut)
    return [clip.part(*span) for span in pieces(clip.start, clip.end, sorted(cuts))]


def cut_probabilities(clip: Clip, sampled: Sequence[int], found: Boundaries) -> list[float]:
    """The most probable boundary between each two sampled frames of a slice: n of them for n + 1 frames."""
    places = [index - clip.start for index in sampled]
    return [max(found["boundary"][slice(*gap)]) for gap in pairwise(places)]


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


def _moving_pieces(clip: Clip, series: SliceSeries, rules: Curation) -> list[Clip]:
    sampled = sampled_frames(clip, rules.sampling.frames_per_second)
    return [
        piece
        for piece in pieces_of(clip, series, rules)
        if not length_reason(piece.end - piece.start, piece.fps, rules.shots, piece.times)
        and not rejection(rules, "motion", mean_motion(piece, sampled, series["distances"]))
    ]
