"""What must hold of every table of the dataset before the next step, and at last a training, reads it.

Great Expectations runs the suites (imported here, inside functions: it takes six seconds). Results are kept in
`var/checks` with the version that they belong to, so that training and release can look again.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ops.data.blocking_checks import BLOCKING_CHECKS
from ops.data.content_version import content_version, file_states
from ops.data.dvc import MissingVersion, version
from ops.data.expectation_suites import Suite
from ops.data.table_suites import suite_of
from ops.data.validation_page import page
from ops.runtime.files import replacing, write_json
from ops.runtime.project import Project
from ops.steps import step

if TYPE_CHECKING:
    import pandas as pd

TRIES = 3
LISTED = 50
"""At most so many offending ids are written out for a failed expectation; the count is always whole."""

EXAMPLES = 5


@dataclass(frozen=True)
class Validation:
    """The outcome of a suite. Each failure is {expectation, column, observed, count, ids, examples}; an example is what
    a person finds the row by, and what it holds. `version` is DVC's, of what was looked at, whether or not it has been
    committed."""

    name: str
    version: str
    passed: bool
    expectations: list[str]
    failures: list[dict[str, Any]]
    statistics: dict[str, Any]


def validate(project: Project, name: str) -> Validation:
    """Check one table of BLOCKING_CHECKS; also writes var/checks/NAME.json and NAME.md, and
    NAME/VERSION.json, to be looked at when that version is current no more.

    Raises:
        RuntimeError: it was written anew each time while it was looked at.
    """
    suite, seen, frame = _looked_at(project, name)
    results = _run(suite, frame, project)
    validation = Validation(
        name=name,
        version=seen,
        passed=all(result["success"] for result in results),
        expectations=[_told(result) for result in results],
        failures=[_failure(result, suite.id, frame) for result in results if not result["success"]],
        statistics=_statistics(frame, suite),
    )
    folder = project.var / "checks"
    write_json(folder / f"{name}.json", asdict(validation))
    if validation.version:
        write_json(folder / name / f"{validation.version}.json", asdict(validation))
    with replacing(folder / f"{name}.md") as temporary:
        temporary.write_text(page(asdict(validation)), encoding="utf-8")
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


def _looked_at(project: Project, name: str) -> tuple[Suite, str, pd.DataFrame]:
    """The suite, and the rows together with the version that they were read from: a step that writes meanwhile makes
    both anew."""
    output = project.root / step(BLOCKING_CHECKS.get(name, name)).output
    for _ in range(TRIES):
        before, seen = file_states(output), content_version(output)
        suite = suite_of(project, name)
        frame = suite.frame(project)
        if file_states(output) == before:
            return suite, seen, frame
    raise RuntimeError(f"{output} was written {TRIES} times while it was checked: wait for the run that does so")


def _run(suite: Suite, frame: pd.DataFrame, project: Project) -> list[dict[str, Any]]:
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    batch = context.data_sources.pandas_default.read_dataframe(frame)
    result = batch.validate(
        gx.ExpectationSuite(name="suite", expectations=suite.expectations(project.settings)),
        result_format={"result_format": "COMPLETE", "unexpected_index_column_names": [suite.id]},
    )
    # through JSON: NumPy scalars, which its own rendering trips over, become plain numbers
    results: list[dict[str, Any]] = result.to_json_dict()["results"]
    for each in results:
        if message := _exception(each):
            raise RuntimeError(f"the expectation {_told(each)} could not be evaluated: {message}")
    return results


def _exception(result: dict[str, Any]) -> str | None:
    info = result.get("exception_info") or {}
    infos = [info] if "raised_exception" in info else list(info.values())
    return next((each["exception_message"] for each in infos if each.get("raised_exception")), None)


def _told(result: dict[str, Any]) -> str:
    """The expectation as a line: its note where it has one, else its type and arguments."""
    config = result["expectation_config"]
    notes = config.get("notes") or (config.get("meta") or {}).get("notes", {}).get("content")
    if notes:
        return notes if isinstance(notes, str) else " ".join(notes)
    arguments = {key: value for key, value in config["kwargs"].items() if key != "batch_id"}
    return f"{config['type']} {json.dumps(arguments, sort_keys=True)}"


def _failure(result: dict[str, Any], id_column: str, frame: pd.DataFrame) -> dict[str, Any]:
    kwargs, found = result["expectation_config"]["kwargs"], result["result"]
    against = found.get("unexpected_index_list") or []
    ids = [entry[id_column] for entry in against]
    return {
        "expectation": _told(result),
        "column": kwargs.get("column") or kwargs.get("column_A"),
        "observed": found.get("observed_value", (found.get("partial_unexpected_list") or [None])[:5]),
        "count": found.get("unexpected_count", 1),
        "ids": ids[:LISTED],
        "examples": [{**_whereabouts(frame, id_column, entry[id_column]), **entry} for entry in against[:EXAMPLES]],
    }


def _whereabouts(frame: pd.DataFrame, id_column: str, value: Any) -> dict[str, Any]:
    """The file that a row is about, where the table names it, and the row's id."""
    if "path" not in frame:
        return {id_column: value}
    paths = frame.loc[frame[id_column] == value, "path"].dropna().tolist()
    return {**({"path": str(paths[0])} if paths else {}), id_column: value}


def _statistics(frame: pd.DataFrame, suite: Suite) -> dict[str, Any]:
    """Rows, and for each telling column its range and mean."""
    told: dict[str, Any] = {"rows": len(frame)}
    for column in suite.measured:
        values = frame[column].dropna().astype(float)
        if len(values):
            told[column] = {
                "min": round(float(values.min()), 6),
                "mean": round(float(values.mean()), 6),
                "max": round(float(values.max()), 6),
            }
    return told
