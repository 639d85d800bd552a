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
    """The blocking checks, as they were last recorded for these versions (step → DVC hash): one finding that all have
    passed, or one of each that has not."""
    from ops.data.blocking_checks import BLOCKING_CHECKS

    failed = failed_checks(project, datasets)
    if not failed:
        count = len(BLOCKING_CHECKS)
        return (Finding("checks", True, f"all {count} blocking checks of what it was trained on have passed"),)
    steps = {name: BLOCKING_CHECKS[name] for name in failed}
    return tuple(
        Finding(f"checks of {name}", False, _told(name, step, datasets.get(step))) for name, step in steps.items()
    )


def failed_checks(project: Project, datasets: Mapping[str, str]) -> list[str]:
    """The blocking checks that have not passed for these versions (step → DVC hash), or for none that is known."""
    from ops.data.blocking_checks import BLOCKING_CHECKS
    from ops.data.expectations import checks_passed

    return [
        name
        for name, step in BLOCKING_CHECKS.items()
        if step not in datasets or not checks_passed(project, name, datasets[step])
    ]


def _told(name: str, step: str, version: str | None) -> str:
    if version is None:
        return f"it is not known which {step} the training set was made from: run `soraflow run` to train on today's"
    remedy = f"run `soraflow run --select '+{step}'` and read var/checks/{name}.md"
    return f"the checks of {name} have not passed for {version}: {remedy}"
