from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from ops.config import RULED_SCORES, Curation, merge
from ops.curation.audit.retention import UNMEASURED, browser_row, changed, limits, outcome
from ops.runtime import tables
from ops.runtime.project import Project


def rules(project: Project, **sections: dict[str, Any]) -> Curation:
    """The project's settings with some values changed; a rule by its score."""
    tree = project.settings.curation.model_dump()
    rules = {name: values for name, values in sections.items() if name in RULED_SCORES}
    others = {name: values for name, values in sections.items() if name not in RULED_SCORES}
    return Curation.model_validate(merge(tree, {**others, **({"rules": rules} if rules else {})}))


def counted(project: Project, **sections: dict[str, Any]) -> Counter[str]:
    changed_rules = rules(project, **sections)
    return Counter(outcome(row, changed_rules) for row in tables.read(project.table("curated_clips")))


def test_the_limits_in_force_give_the_table(audited: Project) -> None:
    rows = tables.read(audited.table("curated_clips"))
    assert changed(rows, audited.settings.curation) == 0
    assert counted(audited) == {"kept": 9, "motion": 2, "technical_quality": 2, "aesthetics": 1, "shots": 1}
    assert changed(rows, rules(audited, aesthetic={"minimum": 27.0})) == 2


@pytest.mark.parametrize(
    ("section", "values", "expected"),
    [
        # 20 and 25 go; the lost film would have passed with 30
        ("aesthetic", {"minimum": 27.0}, {"kept": 7, "aesthetics": 3}),
        ("aesthetic", {"minimum": 5.0}, {"kept": 9, UNMEASURED: 1}),
        # at the limit a clip stays
        ("technical", {"maximum": 33.0}, {"kept": 7, "technical_quality": 4, "aesthetics": 1}),
        ("technical", {"maximum": 50.0}, {"kept": 10, "technical_quality": 1, "aesthetics": 1}),
        # a clip without a crop is not measured twice; the cropped one goes by its second motion
        ("motion_cropped", {"minimum": 0.03}, {"kept": 8, "motion": 2, "motion_recheck": 1}),
        ("motion", {"maximum": 0.055}, {"kept": 8, "motion": 5, "technical_quality": 1}),
        ("motion", {"minimum": 0.0}, {"kept": 9, "motion": 1, UNMEASURED: 1}),
    ],
)
def test_other_limits(audited: Project, section: str, values: dict[str, float], expected: dict[str, int]) -> None:
    found = counted(audited, **{section: values})
    assert {name: found[name] for name in expected} == expected
    assert found["shots"] == 1  # no limit brings back what is too short
    assert found.total() == 15


def test_what_could_not_be_measured_stays_out(audited: Project) -> None:
    (lost,) = (row for row in tables.read(audited.table("curated_clips")) if row["path"] == "lost.mp4")
    assert outcome(lost, rules(audited, technical={"maximum": 1e9})) == "technical_quality"
    assert outcome({**lost, "rejected_by": "a_step_of_tomorrow"}, audited.settings.curation) == "a_step_of_tomorrow"


def test_rows_of_the_browser(audited: Project) -> None:
    rows = {(row["path"], row["start_frame"]): row for row in tables.read(audited.table("curated_clips"))}
    assert browser_row(rows["pan0.mp4", 0]) == [2.0, None, 0.05, None, 20.0, 30.0, None, 0.05]
    assert browser_row(rows["subtitle.mp4", 0]) == [2.0, None, 0.04, None, 30.0, 25.0, None, 0.02]
    assert browser_row(rows["ten.mp4", 0]) == [0.417, "shots", None, None, None, None, None, None]
    assert browser_row(rows["lost.mp4", 0]) == [2.0, "technical_quality", 0.05, None, 30.0, None, None, 0.05]


def test_the_limits_are_those_of_the_rules(audited: Project) -> None:
    found = limits(rules(audited, central_text={"maximum": 0.1}, motion_cropped={"maximum": None}))
    assert [(limit.key.removeprefix("curation.rules."), limit.value, limit.steps) for limit in found] == [
        ("motion.minimum", 0.001, ("motion",)),
        ("motion.maximum", 0.3, ("motion",)),
        ("central_text.maximum", 0.1, ("text_crop",)),
        ("aesthetic.minimum", 12.0, ("aesthetics",)),
        ("technical.maximum", 42.0, ("technical_quality",)),
        ("motion_cropped.minimum", 0.001, ("motion_recheck",)),
    ]


def test_a_score_without_a_rule_rejects_nothing(audited: Project) -> None:
    (dull,) = (row for row in tables.read(audited.table("curated_clips")) if row["path"] == "pan6.mp4")
    without = rules(audited).model_copy(update={"rules": ()})
    assert outcome({**dull, "rejected_by": "aesthetics"}, without) == "kept"
    assert limits(without) == []
