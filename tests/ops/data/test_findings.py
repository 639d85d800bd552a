from __future__ import annotations

import json
from typing import Any

import pytest

from ops.data.blocking_checks import BLOCKING_CHECKS
from ops.data.dataset_version import keep
from ops.data.findings import GateClosed, check_findings, require_checks


@pytest.fixture
def checked(records: Any) -> Any:
    """A training set of which every check has passed."""
    records.curate("v1", ["a"])
    return records


def test_the_gate_is_open_when_every_check_has_passed(checked: Any) -> None:
    made_from = keep(checked.project, "v1").made_from
    require_checks(checked.project, made_from)
    (finding,) = check_findings(checked.project, made_from)
    assert finding.message == f"all {len(BLOCKING_CHECKS)} blocking checks of what it was trained on have passed"


@pytest.mark.parametrize("name", BLOCKING_CHECKS)
def test_each_check_closes_the_gate_by_itself(checked: Any, name: str) -> None:
    made_from, step = keep(checked.project, "v1").made_from, BLOCKING_CHECKS[name]
    path = checked.project.var / "checks" / f"{name}.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "passed": False}))
    with pytest.raises(GateClosed) as closed:
        require_checks(checked.project, made_from)
    remedy = f"run `soraflow run --select '+{step}'` and read var/checks/{name}.md"
    assert str(closed.value) == f"the checks of {name} have not passed for {made_from[step]}: {remedy}"


def test_what_is_not_known_closes_the_gate(checked: Any) -> None:
    made_from = dict(keep(checked.project, "v1").made_from)
    del made_from["shots"]
    with pytest.raises(GateClosed, match="it is not known which shots the training set was made from"):
        require_checks(checked.project, made_from)
