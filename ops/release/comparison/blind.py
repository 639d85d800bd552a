"""A sitting in which a person says which of two videos is better, not knowing which model made which."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

from ops.evaluation.preferences import Choice, Preference, Preferences, model_id
from ops.release.comparison.subject import Subject

Side = Literal["left", "right", "neither", "undo"]
SIDES: tuple[Side, ...] = get_args(Side)


@dataclass(frozen=True)
class Trial:
    """Two videos of one prompt and seed, by the file and sha256 of each; `turned` shows the second model's on the
    left."""

    number: int
    prompt: str
    first: Path
    second: Path
    first_content: str
    second_content: str
    turned: bool

    @property
    def sides(self) -> tuple[Path, Path]:
        """The left video and the right one."""
        return (self.second, self.first) if self.turned else (self.first, self.second)

    def choice(self, side: Side) -> Choice:
        """What an answer about the sides says of the models."""
        if side in ("neither", "undo"):
            return side
        return "second" if (side == "left") is self.turned else "first"


@dataclass(frozen=True)
class Sitting:
    """Two models, of which `store` keeps what a person says; the order and the sides are drawn anew by `seed`."""

    first: Subject
    second: Subject
    store: Preferences
    seed: str = field(default_factory=lambda: secrets.token_hex(8))

    @classmethod
    def of(cls, subjects: Sequence[Subject]) -> Sitting:
        """A sitting about two models.

        Raises:
            ValueError: there are not two, or they have no two videos of one prompt and seed that differ.
        """
        if len(subjects) != 2:
            raise ValueError(f"videos are seen blind two by two: name two models, not {len(subjects)}")
        first, second = subjects
        found = cls(first, second, Preferences(first.project))
        if not found.trials:
            told = ", ".join(f"{each.label} has {len(each.videos)}" for each in subjects)
            raise ValueError(f"no two videos of one prompt and seed are here that differ: {told}; both must be sampled")
        return found

    @cached_property
    def trials(self) -> list[Trial]:
        """Each pair of videos that differ, in random order, on random sides."""
        before = {(each.prompt, each.seed): each for each in self.first.videos if each.path.is_file()}
        pairs = [(before[key], each) for each in self.second.videos if (key := (each.prompt, each.seed)) in before]
        pairs = [(one, two) for one, two in pairs if one.sha256 != two.sha256 and two.path.is_file()]
        drawn = sorted(pairs, key=lambda pair: self._draw(f"order {pair[0].sha256}"))
        return [
            Trial(
                number,
                one.prompt,
                one.path,
                two.path,
                one.sha256,
                two.sha256,
                turned=self._draw(f"side {one.sha256}")[0] % 2 == 1,
            )
            for number, (one, two) in enumerate(drawn)
        ]

    def answer(self, number: int, side: Side) -> None:
        """Keep what a person says about a trial.

        Raises:
            IndexError: there is no such trial.
        """
        trial = self.trials[number]
        self.store.add(
            model_id(self.first.parts),
            model_id(self.second.parts),
            trial.prompt,
            trial.first_content,
            trial.second_content,
            trial.choice(side),
        )

    def standing(self) -> dict[int, Choice]:
        """Trial → what was said about it last, in this sitting or before."""
        said = self.store.standing(model_id(self.first.parts), model_id(self.second.parts))
        keys = {trial.number: (trial.first_content, trial.second_content) for trial in self.trials}
        return {number: said[key] for number, key in keys.items() if key in said}

    def result(self) -> Preference:
        """How often the second model is preferred."""
        return self.store.between(model_id(self.first.parts), model_id(self.second.parts))

    def _draw(self, what: str) -> bytes:
        return hashlib.sha256(f"{self.seed} {what}".encode()).digest()
