"""A folder of videos that were made elsewhere, scored by VBench's dimensions, with the files that VBench writes.

Every video is decoded once, for all dimensions that it counts for; what was measured of it is kept by its content, so
that a run that was interrupted goes on. What is missing, or cannot be read, is said and never left out in silence.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ops import weights
from ops.evaluation.kept_values import KeptValues
from ops.evaluation.vbench import folder_scores
from ops.evaluation.vbench.clips import Clip, Shape, UnreadableVideo, find_clips, unlike
from ops.evaluation.vbench.dimensions import DIMENSIONS, Dimension
from ops.evaluation.vbench.folder_scores import FolderScore, FolderScores
from ops.evaluation.vbench.score import NO_VALUE, NOTES, metric_of, reason_without_score
from ops.evaluation.vbench.static_filter import KEPT, static_filter
from ops.evaluation.vbench.suite import STATIC, Suite, suite, suite_if_here
from ops.metrics.base import Measure, Value, Video, VideoMetric
from ops.runtime.files import digest, sha256
from ops.runtime.project import Project
from ops.weights import MissingWeights, WrongWeights
from ops.weights.checkpoints import WrongCheckpoint

KEPT_FOLDER = "measured"
UNUSABLE = (MissingWeights, WrongWeights, WrongCheckpoint)


class NothingToScore(ValueError):
    """The folder holds no video that any of the dimensions counts."""


@dataclass(frozen=True)
class Runner:
    """What measures videos, and what its values depend on besides a video and its prompt."""

    measure: Callable[[Video], Value]
    key: str


def score_folder(
    project: Project,
    videos: Path,
    to: Path,
    name: str,
    dimensions: Sequence[str] = (),
    custom: bool = False,
    prompts: Mapping[str, str] | None = None,
    told: Callable[[int, int], None] = lambda done, total: None,
) -> FolderScores:
    """The scores, which lie in `to` as well.

    `custom`: the prompts are one's own, and all videos count for all dimensions. `prompts`: file name → prompt, for
    files that are not called by theirs. `told` is told how many videos are done.

    Raises:
        MissingWeights: the suite was not fetched, and the videos are of its prompts.
        NothingToScore: no file counts for any dimension.
        ValueError: a dimension that there is not.
    """
    wanted = chosen(dimensions)
    of = suite_if_here(project) if custom else suite(project)
    clips, problems = find_clips(videos, of, prompts or {}, custom)
    scores = tuple(_begun(project, dimension, clips, None if custom else of) for dimension in wanted)
    if not any(score.found for score in scores):
        missed = f"; the first of its problems: {problems[0]}" if problems else ""
        raise NothingToScore(f"{videos} holds no video that {', '.join(each.name for each in wanted)} counts{missed}")
    runners = _started(project, scores)
    static = _static_runner(project, scores)
    to.mkdir(parents=True, exist_ok=True)
    shapes: dict[str, Shape] = {}
    for number, clip in enumerate(clips):
        mine = [score for score in scores if score.dimension.name in runners and score.counts(clip)]
        problems += _measure(clip, mine, runners, static, KeptValues(to / KEPT_FOLDER, sha256(clip.path)), shapes)
        told(number + 1, len(clips))
    for score in scores:
        _finish(score, filtered=static is not None)
    said: dict[str, object] = {
        "protocol": "vbench-custom/v1" if custom else "vbench/v1",
        "videos": str(videos),
        "suite": None if custom else of.hash,
        "measured_by": {metric: runner.key for metric, runner in runners.items()},
    }
    return folder_scores.write(to, name, scores, clips, [*problems, *unlike(shapes)], said)


def chosen(names: Sequence[str]) -> list[Dimension]:
    """The dimensions of these names, or all.

    Raises:
        ValueError: there is none of a name.
    """
    known = {dimension.name: dimension for dimension in DIMENSIONS}
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean '{close[0]}'?" if close else f"there are {', '.join(known)}"
            raise ValueError(f"VBench has no dimension '{name}'; {hint}")
    return [known[name] for name in dict.fromkeys(names)] if names else list(DIMENSIONS)


def _begun(project: Project, dimension: Dimension, clips: list[Clip], of: Suite | None) -> FolderScore:
    """Without any value yet; `of`: None for prompts of one's own."""
    score = FolderScore(dimension, reason=reason_without_score(project, dimension))
    if of is not None:
        score.expected = sum(prompt.videos for prompt in of.of(dimension.name))
    score.found = sum(score.counts(clip) for clip in clips)
    if score.reason is None and not score.found:
        score.reason = "not available: no video of its prompts is in the folder"
    return score


def _started(project: Project, scores: Sequence[FolderScore]) -> dict[str, Runner]:
    """The metrics that can be measured, by name; a dimension whose weights are another network's says so."""
    found = {}
    for score in scores:
        metric = metric_of(score.dimension.name)
        if score.reason is not None or metric is None:
            continue
        try:
            measure = metric.start(project)
        except UNUSABLE as error:
            score.reason = f"not available: {error}"
            continue
        key = digest([metric.name, metric.version, metric.hashes(project)])
        found[metric.name] = Runner(_valued(metric, measure), key)
    return found


def _valued(metric: VideoMetric, measure: Measure) -> Callable[[Video], Value]:
    return lambda video: metric.value(measure, video)


def _static_runner(project: Project, scores: Sequence[FolderScore]) -> Runner | None:
    """1 for a video in which nothing moves; None where that is not asked for, or RAFT is not here."""
    if not any(score.dimension.name == STATIC and score.expected is not None for score in scores):
        return None
    try:
        is_static = static_filter(project)
    except UNUSABLE:
        return None  # the score's note says so

    def measure(video: Video) -> Value:
        try:
            return Value(float(is_static(video.frames)))
        except ValueError as error:
            return Value(None, reason=f"{error}")

    return Runner(measure, digest(["static filter", 1, weights.content_hash(project, "raft")]))


def _measure(
    clip: Clip,
    scores: list[FolderScore],
    runners: Mapping[str, Runner],
    static: Runner | None,
    kept: KeptValues,
    shapes: dict[str, Shape],
) -> list[str]:
    """Add the video's rows to the scores that it counts for. Returns what is wrong with it."""
    video: Video | None = None

    def value_of(runner: Runner) -> Value:
        nonlocal video
        key = digest([runner.key, clip.prompt, {name: dict(terms) for name, terms in clip.terms.items()}])
        value = kept.get(key)
        if value is None:
            video = video or clip.read()
            value = runner.measure(video)
            kept.put(key, value)
        return value

    try:
        shape = value_of(SHAPE).terms["shape"]
        rows = [(score, value_of(runners[score.dimension.name])) for score in scores]
        if static and any(score.dimension.name == STATIC for score in scores):
            clip.static = value_of(static)
    except UnreadableVideo as error:
        for score in scores:
            score.rows.append((clip, Value(None, reason=f"{error}")))
        return [f"{clip.path.name} {error}"]
    assert isinstance(shape, list)
    shapes[clip.path.name] = tuple(shape)
    for score, value in rows:
        score.rows.append((clip, value))
    return []


def _shape(video: Video) -> Value:
    return Value(None, {"shape": [*video.frames.shape[:3], round(video.fps or 0.0, 3)]})


SHAPE = Runner(_shape, "shape")


def _finish(score: FolderScore, filtered: bool) -> None:
    """The score of a dimension out of its rows."""
    metric = metric_of(score.dimension.name)
    if score.reason is not None or metric is None:
        return
    if score.dimension.name == STATIC and score.expected is not None:
        if filtered:
            _keep_static(score)
        else:
            score.notes.append(NOTES[STATIC])
    without = [value.reason for _, value in score.rows if value.reason]
    if without:
        score.notes.append(f"{len(without)} of {len(score.rows)} videos have no value: {without[0]}")
    measured = [value for _, value in score.rows if value.value is not None]
    if not measured:
        score.reason = f"{NO_VALUE}: {without[0]}" if without else NO_VALUE
        return
    score.interval = metric.over(measured)
    if score.partial:
        score.notes.append(f"partial: {score.found} of {score.expected} videos")


def _keep_static(score: FolderScore) -> None:
    """The rows of videos in which nothing moves, at most five of a prompt, and of those without a value."""
    rows: list[tuple[Clip, Value]] = []
    taken: dict[str, int] = {}
    unfit = 0
    for clip, value in score.rows:
        taken.setdefault(clip.prompt, 0)
        if value.value is None:
            rows.append((clip, value))
        elif clip.static is None or clip.static.value is None:
            unfit += 1
        elif clip.static.value and taken[clip.prompt] < KEPT:
            taken[clip.prompt] += 1
            rows.append((clip, value))
    fewer = sum(count < KEPT for count in taken.values())
    said = f"static filter: {len(rows)} of {len(score.rows)} videos count, {fewer} prompts have fewer than {KEPT}"
    score.notes += [said, *([f"{unfit} videos are too small or short for it, and left out"] if unfit else [])]
    score.rows = rows
