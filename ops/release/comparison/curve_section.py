"""The curves of the trainings behind models, on one axis."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ops.release.comparison.comparison import letter, tag
from ops.release.comparison.subject import Subject
from ops.reports.curves import Curve
from ops.reports.html_page import text
from ops.reports.line_chart import Mark, line_chart


def curve_section(subjects: Sequence[Subject]) -> Iterator[str]:
    """The loss and the held-out loss of each training on one axis. Checkpoints of one training share its curve, and are
    marked on it."""
    yield "<h2 id='curves'>Curves</h2>"
    trained: dict[str, int] = {}
    for number, each in enumerate(subjects):
        trained.setdefault(each.denoiser.fingerprint, number)
    marks = [
        Mark(each.parts.step, f"{letter(number)}: step {each.parts.step:,}", number)
        for number, each in enumerate(subjects)
    ]
    keys = {"loss": "loss"} | {each.denoiser.results.metric: "held-out loss" for each in subjects}
    charts = [
        line_chart(title, [(_curve(subjects[n], key, title), n) for n in trained.values()], marks)
        for key, title in keys.items()
    ]
    if not any(charts):
        yield "<p>No training left its log.</p>"
        return
    several = enumerate(subjects) if len(subjects) > 1 else ()
    names = " ".join(f"<span>{tag(number)} {text(each.label)}</span>" for number, each in several)
    yield f"<p class='legend'>{names} <span>A dashed line is the checkpoint.</span></p>"
    yield f"<div class='charts'>{''.join(charts)}</div>"


def _curve(subject: Subject, key: str, title: str) -> Curve:
    points = [(line["step"], line[key]) for line in subject.curve if key in line]
    values: Mapping[float, float] = dict(points)
    return Curve(f"{subject.label}: {title}", list(values), list(values.values()))
