"""What other limits would keep: the rules of the funnel, over scores that are already measured.

The audit page does the same in the browser (`web/numbers.js`), from the rows that `browser_row` makes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ops.catalogue import SCORES, Bound
from ops.config import RULED_SCORES, Curation
from ops.curation.audit.sample import KEPT
from ops.curation.rules.rejection import rejection, titles
from ops.curation.timeline import seconds
from ops.runtime.tables import Row
from ops.steps import CLIP_STEPS

UNMEASURED = "unmeasured"
"""The clip passes every rule whose score it has, but was rejected before a later score was taken."""

STEPS = CLIP_STEPS[1:-1]
"""Those that may reject a clip."""
COLUMNS = {ruled.step: score for score, ruled in RULED_SCORES.items()}
"""The column of each step whose score a rule may decide by."""


@dataclass(frozen=True)
class Limit:
    """A bound of a rule; a score beyond it is out. `steps` are those that it decides."""

    key: str
    bound: Bound
    value: float
    steps: tuple[str, ...]
    score: str
    """What is measured, in words."""
    logarithmic: bool


def place(stratum: str) -> int:
    """For sorting: kept clips, then steps in the order of the funnel, then steps that it does not know."""
    order = (KEPT, *STEPS)
    return order.index(stratum) if stratum in order else len(order)


def limits(curation: Curation) -> list[Limit]:
    """Every bound of the recipe's rules, in the order of the funnel."""
    told = titles(curation)
    return [
        Limit(
            f"curation.rules.{rule.score}.{bound}",
            bound,
            value,
            (RULED_SCORES[rule.score].step,),
            told[rule.score],
            SCORES[rule.score].logarithmic,
        )
        for rule in curation.rules
        for bound, value in rule.bounds.items()
    ]


def outcome(row: Row, rules: Curation) -> str:
    """`kept`, the step that rejects the clip under these rules, or `unmeasured`.

    What has no limit stays as it is: lengths of shots, and clips that could not be measured.
    """
    if row["rejected_by"] not in (None, *STEPS):
        return str(row["rejected_by"])
    for step in STEPS:
        if step == _settled(row):
            return step
        if step in COLUMNS and rules.rule(COLUMNS[step]) is not None:
            score = score_of(row, step)
            if score is None:
                return UNMEASURED
            if rejection(rules, COLUMNS[step], score):
                return step
    return KEPT


def score_of(row: Row, step: str) -> float | None:
    """The raw score that a step decides by. Without a crop the second motion is the first."""
    score: float | None = row[COLUMNS[step]]
    if score is None and step == "motion_recheck" and row["crop"] is None:
        score = row["motion"]
    return score


def browser_row(row: Row) -> list[object]:
    """[seconds, step that no limit can change or null, then the score of each step of `COLUMNS` or null]."""
    return [round(seconds(row), 3), _settled(row), *(score_of(row, step) for step in COLUMNS)]


def changed(rows: Sequence[Row], rules: Curation) -> int:
    """How many rows these rules would judge in another way than the table does; 0 if the table is theirs."""
    return sum(outcome(row, rules) != (row["rejected_by"] or KEPT) for row in rows)


def _settled(row: Row) -> str | None:
    """The step that rejected the row without a score: by another rule, or since it could not be measured."""
    step = row["rejected_by"]
    return None if step is None or (step in COLUMNS and score_of(row, step) is not None) else step
