"""What the recorded checks of a dataset say, to whoever trains on it or releases what was trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ops.runtime.project import Project


class GateClosed(ValueError):
    """Data whose checks have not passed must not be trained on or released; the message says what to do."""


@dataclass(frozen=True)
class Finding:
    """One rule's outcome and a sentence about it."""

    rule: str
    passed: bool
    message: str


def require_checks(project: Project, datasets: Mapping[str, str]) -> None:
    """Raises GateClosed unless every blocking check passed for these versions (step → DVC hash)."""
    failed = [finding.message for finding in check_findings(project, datasets) if not finding.passed]
    if failed:
        raise GateClosed("; ".join(failed))


def check_findings(project: Project, datasets: Mapping[str, str]) -> tuple[Finding, ...]:
    """The blocking checks, as they were last recorded for these versions (step → DVC hash)."""
    from ops.data.expectation_suites import SUITES
    from ops.data.expectations import checks_passed

    return tuple(
        _check_finding(name, datasets.get(name), name in datasets and checks_passed(project, name, datasets[name]))
        for name in SUITES
    )


def _check_finding(name: str, version: str | None, passed: bool) -> Finding:
    if passed:
        return Finding(f"checks of {name}", True, f"the checks of {name} passed")
    if version is None:
        message = f"it is not known which {name} the training set was made from: run `soraflow run` to train on today's"
        return Finding(f"checks of {name}", False, message)
    remedy = f"run `soraflow run --select '+{name}'` and read var/checks/{name}.md"
    return Finding(f"checks of {name}", False, f"the checks of {name} have not passed for {version}: {remedy}")
