"""The scores of models beside each other, with intervals, and what the difference of each to the first one says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ops.evaluation.checkpoint_scores import HELD_OUT
from ops.evaluation.protocol import Protocol, ProtocolMismatch
from ops.evaluation.scored_samples import pairs
from ops.release.comparison.subject import Subject
from ops.statistics.bootstrap import Interval
from ops.statistics.paired import PairedDifference, paired_difference


@dataclass(frozen=True)
class Cell:
    """A model's score: with its interval where it is of videos, or None with the reason."""

    value: float | None
    interval: Interval | None = None
    reason: str | None = None
    difference: PairedDifference | None = None
    """To the first model, prompt by prompt; above 0 is better."""
    note: str | None = None
    """Why it is not compared with the first model."""


@dataclass(frozen=True)
class ScoreRow:
    metric: str
    higher_is_better: bool
    cells: tuple[Cell, ...]
    """One a model, in their order."""


def score_rows(subjects: Sequence[Subject]) -> list[ScoreRow]:
    """A row for each metric that any of them has, the held-out loss at the end: it is shown, and wins nothing once
    samples are scored."""
    found: dict[str, bool] = {}
    for each in subjects:
        if each.samples:
            found |= {name: score.higher_is_better for name, score in each.samples.scores.items()}
    rows = [
        ScoreRow(name, higher, tuple(_cell(subjects[0], each, name) for each in subjects))
        for name, higher in found.items()
    ]
    return [*rows, ScoreRow(HELD_OUT, False, tuple(_held_out(subjects[0], each) for each in subjects))]


def _cell(first: Subject, subject: Subject, metric: str) -> Cell:
    score = subject.samples.scores.get(metric) if subject.samples else None
    if score is None:
        return Cell(None, reason="not sampled" if subject.samples is None else "not measured")
    if subject is first or subject.samples is None:
        return Cell(score.interval.mean, score.interval)
    if first.samples is None:
        return Cell(score.interval.mean, score.interval, note="not compared: the first model was not sampled")
    try:
        matched = pairs(first.samples, subject.samples, metric)
    except ProtocolMismatch as error:
        return Cell(score.interval.mean, score.interval, note=f"another protocol: {error}")
    if not matched:
        return Cell(score.interval.mean, score.interval, note="no video of one prompt and seed is of both")
    found = paired_difference(matched, score.higher_is_better)
    return Cell(score.interval.mean, score.interval, difference=found)


def _held_out(first: Subject, subject: Subject) -> Cell:
    mine: Protocol = subject.held_out_protocol
    note = None if mine == first.held_out_protocol else f"another protocol: {_told(mine, first.held_out_protocol)}"
    return Cell(subject.held_out, note=note)


def _told(mine: Protocol, theirs: Protocol) -> str:
    return "; ".join(mine.differences(theirs))
