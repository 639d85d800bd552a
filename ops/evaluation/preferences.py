"""Which of two videos a person prefers, not knowing whose they are: one JSON line an answer in var/preferences.jsonl.

A model is named by `model_id`, so that an answer holds for the checkpoint, whatever it is called in the registry.
"""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Literal, get_args

from ops.generation.parts import Parts
from ops.runtime.json_lines import JsonLines
from ops.runtime.project import Project
from ops.statistics.paired import FEWEST, Word
from ops.statistics.wilson import wilson

Choice = Literal["first", "second", "neither", "undo"]
CHOICES: tuple[Choice, ...] = get_args(Choice)


class PreferenceError(ValueError):
    """A file of preferences that cannot be used; the message says what to do."""


@dataclass(frozen=True)
class Answer:
    """`choice` is of the videos (by sha256) of two models, or takes the last one about these videos back."""

    first: str
    second: str
    prompt: str
    first_video: str
    second_video: str
    choice: Choice
    time: str
    """UTC, ISO 8601."""


@dataclass(frozen=True)
class Preference:
    """How often the second of two models was preferred. `share` is of the answers that prefer one, with Wilson's
    interval; all None before the first of them."""

    wins: int
    losses: int
    neither: int
    share: float | None = None
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, wins: int, losses: int, neither: int) -> Preference:
        if not wins + losses:
            return cls(wins, losses, neither)
        return cls(wins, losses, neither, wins / (wins + losses), *wilson(wins, wins + losses))

    @property
    def counts(self) -> tuple[int, int, int]:
        return self.wins, self.losses, self.neither

    @property
    def word(self) -> Word:
        """Whether the interval leaves out one half, which two equal models come to; of fewer than `FEWEST` answers
        nothing is told."""
        if self.low is None or self.high is None or self.wins + self.losses < FEWEST:
            return "cannot tell"
        if self.low <= 0.5 <= self.high:
            return "cannot tell"
        return "better" if self.low > 0.5 else "worse"

    def __str__(self) -> str:
        if self.share is None or self.low is None or self.high is None:
            return f"none preferred yet, {self.neither} alike" if self.neither else "none judged yet"
        alike = f", {self.neither} alike" if self.neither else ""
        counted = f"{self.wins} of {self.wins + self.losses}{alike}"
        return f"{self.share:.0%} [{self.low:.0%}, {self.high:.0%}], {counted}"


def model_id(parts: Parts) -> str:
    """A checkpoint by its content: training, version, step."""
    return f"{parts.denoiser_asset}@{parts.denoiser_version}:{parts.step}"


class Preferences:
    """The file of a project."""

    def __init__(self, project: Project) -> None:
        self._file = JsonLines(project.var / "preferences.jsonl", PreferenceError, "blind comparison")

    def writing(self) -> AbstractContextManager[None]:
        """Hold the file for one writer.

        Raises:
            PreferenceError: another process holds it.
        """
        return self._file.writing()

    def add(self, first: str, second: str, prompt: str, first_video: str, second_video: str, choice: Choice) -> Answer:
        """Add a line; it is on the disk when this returns."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        answer = Answer(first, second, prompt, first_video, second_video, choice, now)
        self._file.append(asdict(answer))
        return answer

    def standing(self, first: str, second: str) -> dict[tuple[str, str], Choice]:
        """(video of the first model, video of the second) → the last choice about them, unless taken back. An answer
        counts whichever of the two models was called the first when it was given.

        Raises:
            PreferenceError: a line is not one of ours.
        """
        found: dict[tuple[str, str], Choice] = {}
        for number, line in self._file.lines():
            answer = self._parsed(number, line)
            if (answer.first, answer.second) == (second, first):
                answer = _turned(answer)
            if (answer.first, answer.second) == (first, second):
                found.pop((answer.first_video, answer.second_video), None)
                if answer.choice != "undo":
                    found[answer.first_video, answer.second_video] = answer.choice
        return found

    def between(self, first: str, second: str) -> Preference:
        """How often the second model is preferred to the first.

        Raises:
            PreferenceError: a line is not one of ours.
        """
        choices = list(self.standing(first, second).values())
        return Preference.of(choices.count("second"), choices.count("first"), choices.count("neither"))

    def _parsed(self, number: int, line: str) -> Answer:
        try:
            answer = Answer(**json.loads(line))
        except (json.JSONDecodeError, TypeError) as error:
            raise self._file.damaged(number, f"not an answer ({error}); remove the line") from None
        if answer.choice not in CHOICES:
            raise self._file.damaged(number, f"choice {answer.choice!r} is not one of {CHOICES}")
        return answer


def _turned(answer: Answer) -> Answer:
    other: dict[Choice, Choice] = {"first": "second", "second": "first"}
    return Answer(
        first=answer.second,
        second=answer.first,
        prompt=answer.prompt,
        first_video=answer.second_video,
        second_video=answer.first_video,
        choice=other.get(answer.choice, answer.choice),
        time=answer.time,
    )
