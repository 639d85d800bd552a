from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from ops.config import Curation
from ops.curation.audit.retention import UNMEASURED, browser_row, changed, limits, outcome
from ops.data import tables
from ops.runtime.project import Project


def rules(project: Project, **sections: dict[str, Any]) -> Curation:
    """The project's rules with some values changed."""
    tree = project.settings.curation.model_dump()
    return Curation.model_validate({**tree, **{name: {**tree[name], **values} for name, values in sections.items()}})


def counted(project: Project, **sections: dict[str, Any]) -> Counter[str]:
    changed_rules = rules(project, **sections)
    return Counter(outcome(row, changed_rules) for row in tables.read(project.table("curated_clips")))


def test_the_limits_in_force_give_the_table(audited: Project) -> None:
    rows = tables.read(audited.table("curated_clips"))
    assert changed(rows, audited.settings.curation) == 0
    assert counted(audited) == {"kept": 9, "motion": 2, "technical_quality": 2, "aesthetics": 1, "shots": 1}
    assert changed(rows, rules(audited, aesthetics={"minimum": 27.0})) == 2


@pytest.mark.parametrize(
    ("section", "values", "expected"),
    [
        # 20 and 25 go; the lost film would have passed with 30
        ("aesthetics", {"minimum": 27.0}, {"kept": 7, "aesthetics": 3}),
        ("aesthetics", {"minimum": 5.0}, {"kept": 9, UNMEASURED: 1}),
        # at the limit a clip stays
        ("technical_quality", {"threshold": 33.0}, {"kept": 7, "technical_quality": 4, "aesthetics": 1}),
        ("technical_quality", {"threshold": 50.0}, {"kept": 10, "technical_quality": 1, "aesthetics": 1}),
        # a clip without a crop is not measured twice; the cropped one goes by its second motion
        ("motion", {"minimum": 0.03}, {"kept": 8, "motion": 2, "motion_recheck": 1}),
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
    assert outcome(lost, rules(audited, technical_quality={"threshold": 1e9})) == "technical_quality"
    assert outcome({**lost, "rejected_by": "a_step_of_tomorrow"}, audited.settings.curation) == "a_step_of_tomorrow"


def test_rows_of_the_browser(audited: Project) -> None:
    rows = {(row["path"], row["start_frame"]): row for row in tables.read(audited.table("curated_clips"))}
    assert browser_row(rows["pan0.mp4", 0]) == [2.0, None, 0.05, 20.0, 30.0, 0.05]
    assert browser_row(rows["subtitle.mp4", 0]) == [2.0, None, 0.04, 30.0, 25.0, 0.02]
    assert browser_row(rows["ten.mp4", 0]) == [0.417, "shots", None, None, None, None]
    assert browser_row(rows["lost.mp4", 0]) == [2.0, "technical_quality", 0.05, 30.0, None, 0.05]


@pytest.mark.parametrize(("scorer", "bound"), [("brisque", "maximum"), ("niqe", "maximum"), ("dover", "minimum")])
def test_the_side_of_the_technical_limit_is_the_scorers(audited: Project, scorer: str, bound: str) -> None:
    found = {limit.key: limit for limit in limits(rules(audited, technical_quality={"scorer": scorer}))}
    assert found["curation.technical_quality.threshold"].bound == bound
    assert found["curation.technical_quality.threshold"].value == 42.0
    assert list(found)[:2] == ["curation.motion.minimum", "curation.motion.maximum"]
