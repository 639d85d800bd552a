"""What a step of curation declares: its table, the settings that it reads, what it measures, and by what it decides.

Everything that has to know of a step derives from its declaration: the graph and the stages of DVC, the rules and the
names of scorers that a recipe may hold, schemas and suites, records, reports and exports.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ops.runtime.columns import Column, Table, scorer

Bound = Literal["minimum", "maximum"]
Kind = Literal["video", "image"]
"""What is measured: clips of a video, or still pictures."""
KINDS: tuple[Kind, ...] = ("video", "image")
RawScore = Any
"""What a scorer gives of one clip or picture, as JSON holds it: a number, a series of them, boxes of text. Which of
these it is, only the step that measures it knows."""


@dataclass(frozen=True)
class ScorerChoice:
    """A scorer that the recipe may name, and where its class is (`module:Class`), which takes seconds to import."""

    name: str
    path: str
    lower_is_better: bool = False
    measures: str = ""
    """What its numbers are, in words, where that is not its name."""

    @property
    def in_words(self) -> str:
        return self.measures or self.name


@dataclass(frozen=True)
class Measurement:
    """What is measured by looking at pictures, and who may do it. `section` is the part of the recipe below `curation`
    that names the scorer and holds its settings; without one there is a single scorer without settings."""

    name: str
    section: str | None
    scorers: tuple[ScorerChoice, ...]
    cropped_only: bool = False
    """Only a clip that a crop has changed is looked at."""


@dataclass(frozen=True)
class Wording:
    """How a row is told that it is out: a code to count by and what that means, and a sentence in which `{score}` has
    so many decimals, `{limit}` is the bound, and `{scorer}` who measured."""

    code: str
    meaning: str
    sentence: str
    decimals: int = 0


@dataclass(frozen=True)
class Score:
    """A number by which a rule of the recipe may decide."""

    column: Column
    section: str
    """Of the recipe, below `curation`, that names who measures it."""
    title: str
    """What it measures, in words; `{scorer}` is who measures it, as `ScorerChoice.in_words` has it."""
    short: str
    """What it is called below a picture."""
    beyond: Mapping[Bound, Wording]
    """The bounds that a rule may have, and what a row beyond one is told."""
    of_pictures: bool = False
    """It is measured of pictures, too."""
    logarithmic: bool = False
    """Its histogram and slider are."""
    unmeasured: Wording | None = None
    """What a row is told that cannot have this score; without it such a row is an error."""

    @property
    def name(self) -> str:
        return self.column.name

    @property
    def bounds(self) -> tuple[Bound, ...]:
        return tuple(self.beyond)

    @property
    def wordings(self) -> tuple[Wording, ...]:
        return (*([self.unmeasured] if self.unmeasured else []), *self.beyond.values())


@dataclass(frozen=True)
class CurationStep:
    """One step: `body` (`module:function`) is called with the project and this declaration, reads the table of
    `made_from` and writes the one called `name`."""

    name: str
    description: str
    """On the page of the asset."""
    about: str
    """Of the table's rows, in docs/data.md."""
    columns: tuple[Column, ...]
    """That it adds to those of the table that it is made from."""
    settings: tuple[str, ...]
    """Keys that it reads, below `curation` unless they begin with `sources.`."""
    body: str
    measures: tuple[Measurement, ...] = ()
    score: Score | None = None
    anew: bool = False
    """Its rows are of another kind than those that it is made from, and have none of their columns."""
    made_from: str | None = None
    """The step before it; None for one that reads the sources."""
    before: tuple[Column, ...] = field(default=(), repr=False)
    """Columns of that step's table."""

    def after(self, step: CurationStep) -> CurationStep:
        """This step, made from the table of another."""
        return replace(self, made_from=step.name, before=() if self.anew else step.table.columns)

    @property
    def input(self) -> str:
        """The step whose table it reads.

        Raises:
            ValueError: it reads the sources.
        """
        if self.made_from is None:
            raise ValueError(f"the step {self.name} is made from the sources")
        return self.made_from

    @property
    def decides_by(self) -> Score:
        """Its score.

        Raises:
            ValueError: it has none.
        """
        if self.score is None:
            raise ValueError(f"the step {self.name} decides by no score")
        return self.score

    @property
    def table(self) -> Table:
        base = None if self.anew else self.made_from
        return Table(self.name, f"data/{self.name}.parquet", self.about, (*self.before, *self.columns), base)


def scored_step(
    name: str,
    *,
    description: str,
    about: str,
    scorers: tuple[ScorerChoice, ...],
    score: Score,
    more: tuple[Column, ...] = (),
    body: str = "ops.curation.steps.scored_step:scored_step",
) -> CurationStep:
    """A step that measures one number of every clip still in and decides by it. Its section of the recipe has its name;
    one with `enabled: false` leaves the columns empty. `more` are columns between the score and its scorer."""
    return CurationStep(
        name,
        description,
        about,
        (score.column, *more, scorer(f"{name}_scorer", score.name)),
        (name, f"rules.{score.name}", "sampling"),
        body,
        (Measurement(name, name, scorers),),
        score,
    )


def chained(steps: Iterable[CurationStep]) -> tuple[CurationStep, ...]:
    """The steps, each made from the one before it."""
    chain: list[CurationStep] = []
    for step in steps:
        chain.append(step.after(chain[-1]) if chain else step)
    return tuple(chain)
