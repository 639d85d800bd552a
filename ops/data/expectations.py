"""What must hold of every table of the dataset before the next step, and at last a training, reads it.

Great Expectations runs the suites (imported here, inside functions: it takes six seconds). Results are kept in
`var/checks` with the version that they belong to, so that training and release can look again.
"""

from __future__ import annotations

import json
from dataclasses import asdict

from ops.data.blocking_checks import BLOCKING_CHECKS
from ops.data.content_version import content_version, file_states
from ops.data.dvc import MissingVersion, version
from ops.data.suite_run import Outcome, run
from ops.data.table_suites import suite_of
from ops.data.validation import Validation
from ops.data.validation_page import page
from ops.runtime.files import replacing, write_json
from ops.runtime.project import Project
from ops.steps import step

TRIES = 3


def validate(project: Project, name: str) -> Validation:
    """Check one table of BLOCKING_CHECKS; also writes var/checks/NAME.json and NAME.md, and
    NAME/VERSION.json, to be looked at when that version is current no more.

    Raises:
        RuntimeError: it was written anew each time while it was looked at.
    """
    seen, outcomes, statistics = _looked_at(project, name)
    failures = [each.failure() for each in outcomes if not each.passed]
    validation = Validation(
        name=name,
        version=seen,
        passed=not failures,
        expectations=[each.expectation for each in outcomes],
        failures=failures,
        statistics=statistics,
    )
    folder = project.var / "checks"
    write_json(folder / f"{name}.json", asdict(validation))
    if validation.version:
        write_json(folder / name / f"{validation.version}.json", asdict(validation))
    with replacing(folder / f"{name}.md") as temporary:
        temporary.write_text(page(validation), encoding="utf-8")
    return validation


def checks_passed(project: Project, name: str, of: str | None = None) -> bool:
    """Whether the last validation of a version of this data (None: the one that is committed now) passed."""
    wanted, folder = of or _committed(project, name), project.var / "checks"
    for path in (folder / f"{name}.json", folder / name / f"{wanted}.json"):
        if wanted and path.is_file():
            found = json.loads(path.read_text(encoding="utf-8"))
            if found["version"] == wanted:
                return bool(found["passed"])
    return False


def _committed(project: Project, name: str) -> str | None:
    try:
        return version(project, BLOCKING_CHECKS.get(name, name))
    except MissingVersion:
        return None


def _looked_at(project: Project, name: str) -> tuple[str, list[Outcome], dict[str, object]]:
    """The version of a table, and what was found of it: a step that writes meanwhile makes it look again.

    Raises:
        RuntimeError: it was written each time.
    """
    output = project.root / step(BLOCKING_CHECKS.get(name, name)).output
    for _ in range(TRIES):
        before, seen = file_states(output), content_version(output)
        outcomes, statistics = run(suite_of(project, name), project)
        if file_states(output) == before:
            return seen, outcomes, statistics
    raise RuntimeError(f"{output} was written {TRIES} times while it was checked: wait for the run that does so")
