"""Everything that a comparison of models tells, gathered once for the page and the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ops.evaluation.preferences import Preference, Preferences, model_id
from ops.metrics.registry import deciding
from ops.release.comparison.dataset_change import DatasetChange, dataset_change
from ops.release.comparison.differences import CodeChange, code_change, setting_differences
from ops.release.comparison.scores import Cell, ScoreRow, score_rows
from ops.release.comparison.subject import Subject, subjects
from ops.reports.line_chart import COLOURS
from ops.runtime.project import Project

MOST = 6
"""Models on a page, each in a colour of its own."""


@dataclass(frozen=True)
class Comparison:
    """Models in the order of their names; `datasets`, `code` and `preferences` are of each after the first, to it."""

    subjects: tuple[Subject, ...]
    settings: dict[str, list[str]]
    datasets: tuple[DatasetChange, ...]
    code: tuple[CodeChange, ...]
    scores: tuple[ScoreRow, ...]
    preferences: tuple[Preference, ...]

    @property
    def metric(self) -> str | None:
        """The one that is looked at first: of those of the samples, one that may decide; None where none is scored."""
        names = [row.metric for row in self.scores[:-1]]
        return next((name for name in deciding() if name in names), next(iter(names), None))

    def verdicts(self) -> list[tuple[str, str]]:
        """(what is told about, sentence) of each model after the first: by the metric, and by people."""
        row = next((row for row in self.scores if row.metric == self.metric), None)
        out = []
        for number, liked in enumerate(self.preferences, 1):
            if row and (told := _told(row.cells[number])):
                out.append((f"{letter(number)} against {letter(0)} by {row.metric}", told))
            if any(liked.counts):
                out.append((f"{letter(number)} preferred to {letter(0)}, seen blind", f"{liked} ({liked.word})"))
        return out


def _told(cell: Cell) -> str | None:
    if found := cell.difference:
        return f"{found.verdict}: {found.figures} over {found.prompts} prompts, {found.videos} pairs of videos"
    return cell.note or cell.reason


def compare(project: Project, names: Sequence[str]) -> Comparison:
    """Compare the models of these names, each with the first.

    Raises:
        ValueError: two names stand for the same checkpoint, or they are fewer than two or more than `MOST`.
        UnknownVersion, MissingArtifact, SamplingError: there is no such model.
    """
    if not 2 <= len(names) <= MOST:
        raise ValueError(f"a comparison is of 2 to {MOST} models, not {len(names)}")
    found = subjects(project, list(names))
    first, *others = found
    said = Preferences(project)
    return Comparison(
        tuple(found),
        setting_differences(found),
        tuple(dataset_change(project, first.dataset, each.dataset) for each in others),
        tuple(code_change(project, first, each) for each in others),
        tuple(score_rows(found)),
        tuple(said.between(model_id(first.parts), model_id(each.parts)) for each in others),
    )


def letter(number: int) -> str:
    """A, B, C … by which the page calls its models."""
    return chr(ord("A") + number)


def tag(number: int) -> str:
    """The letter of a model in its colour, as HTML."""
    return f"<b class='tag line-{number % COLOURS}'>{letter(number)}</b>"
